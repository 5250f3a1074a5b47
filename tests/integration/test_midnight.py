"""The count over midnight, and under a clock that is set: nothing is lost, nothing doubled.

Debian's ``faketime`` gives the daemon a clock of its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from attrs import frozen

from hubmirror.demo.content import Blob
from hubmirror.quota.files import QuotaFiles
from hubmirror.quota.history import Step
from hubmirror.quota.window import day_of, rfc3339
from tests.integration.live_hub import LiveHub, live_hub
from tests.integration.pulling import login, read
from tests.support.mirror import Mirror, start_mirror
from tests.support.programs import run
from tests.support.quota import THREADS, Caller, told, under_load
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

REPOSITORY = "library/open"
CONTENT = b"midnight" * 100
BLOB = Blob.of(CONTENT)
PATH = f"/v2/{REPOSITORY}/blobs/{BLOB.digest}"

MIDNIGHT = datetime(2026, 3, 2, tzinfo=timezone.utc)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


@frozen
class WallClock:
    """The clock of whoever runs under ``wrapper``, the monotonic one included: faketime 0.9.10

    has threads spin where only one of them is another.
    """

    file: Path

    def set(self, moment: datetime) -> None:
        """It is ``moment`` now, and goes on from there."""
        unfinished = self.file.with_suffix(".new")
        unfinished.write_text(f"{moment.timestamp() - time.time():+.6f}\n")
        unfinished.rename(self.file)

    @property
    def wrapper(self) -> tuple[str, ...]:
        """The command to run under. Not ``faketime`` itself, which stays before its program."""
        environment = run("faketime", "-m", "-f", "+0", "env")
        library = re.search(r"^LD_PRELOAD=(.+)$", environment, re.MULTILINE)
        assert library is not None, environment
        return (
            "env",
            f"LD_PRELOAD={library[1]}",
            f"FAKETIME_TIMESTAMP_FILE={self.file}",
            "FAKETIME_NO_CACHE=1",
            "NO_FAKE_STAT=1",
        )


@frozen
class World:
    """A mirror on a clock of its own, before a Hub with one blob."""

    hub: LiveHub
    folder: Path
    clock: WallClock
    mirror: Mirror

    @property
    def caller(self) -> Caller:
        """Who asks it."""
        return Caller(self.mirror)

    def used(self) -> int:
        """How many of today's are spent, as the mirror says."""
        found: int = told(self.mirror)["used"]
        return found

    def is_day_of(self, moment: datetime) -> bool:
        """Whether it is that day for the mirror."""
        end = datetime.combine(moment.date() + DAY, datetime.min.time(), timezone.utc)
        return bool(told(self.mirror)["reset"] == rfc3339(end))

    def at_rest(self) -> QuotaFiles:
        """End the mirror; what it has left in its files."""
        self.mirror.program.stop()
        text = self.mirror.program.text()
        assert self.mirror.program.status == 0, text
        assert "Traceback" not in text, text
        return QuotaFiles.open(self.folder / "data")


@pytest.fixture
def limit(request: pytest.FixtureRequest) -> int:
    """The day's; a test may give one."""
    found: int = getattr(request, "param", 0)
    return found


@pytest.fixture
def world(tmp_path: Path, limit: int) -> Iterator[World]:
    """It is an hour before midnight; the blob is kept, for anybody."""
    clock, folder = WallClock(tmp_path / "clock"), tmp_path / "mirror"
    clock.set(MIDNIGHT - HOUR)
    with live_hub() as hub:
        hub.store.add_blob(REPOSITORY, BLOB)
        options = ("--http", "127.0.0.1:0", *hub.upstream, "--on-exhausted", "refuse")
        limits = ("--quota", str(limit), "--quota-minute", "0")
        mirror = start_mirror("serve", folder, *options, *limits, wrapper=clock.wrapper)
        try:
            assert read(mirror, PATH, login(mirror, REPOSITORY)) == CONTENT
            yield World(hub, folder, clock, mirror)
        finally:
            mirror.program.stop()


#: What getting the blob has cost: a token, and the blob.
BEFORE = 2


def used_on(files: QuotaFiles, moment: datetime) -> int:
    """How many requests were let through on that day, by the ledger."""
    return files.ledger.used(day_of(moment.timestamp()))


def admitted(files: QuotaFiles, step: Step, until: datetime, count: int) -> list[int]:
    """How many were let through in each of these minutes, hours or days, by the history."""
    return [row.admitted for _, row in files.history.rows(step, until.timestamp(), count)]


def test_load_over_midnight(world: World) -> None:
    """Each request that was answered was counted on one day: this one or the next."""
    world.clock.set(MIDNIGHT - SECOND)
    with under_load(world.caller, PATH) as load:
        wait_until(lambda: world.is_day_of(MIDNIGHT), "midnight", context=world.mirror.program.text)
        wait_until(lambda: world.used() > THREADS, "requests on the new day")
    answered = load.answers()
    assert answered.keys() == {200}
    today = world.used()

    files = world.at_rest()

    assert used_on(files, MIDNIGHT) == today
    assert used_on(files, MIDNIGHT - DAY) > BEFORE + THREADS
    assert used_on(files, MIDNIGHT - DAY) + today == BEFORE + answered.total()
    # By the clock that each reads for itself, a request on the stroke may be another day's.
    yesterday, of_today = admitted(files, Step.DAY, MIDNIGHT, 2)
    assert yesterday + of_today == BEFORE + answered.total()
    assert abs(of_today - today) <= 1
    of_minutes = sum(admitted(files, Step.MINUTE, MIDNIGHT + HOUR, 24 * 60))
    assert sum(admitted(files, Step.HOUR, MIDNIGHT + HOUR, 24)) == of_minutes
    assert of_minutes == BEFORE + answered.total()


@pytest.mark.parametrize("limit", [100], indirect=True)
def test_a_spent_day_ends_at_midnight(world: World) -> None:
    """Who is refused before midnight is let through after it, until that day is spent, too."""
    statuses = world.caller.ask_all([PATH] * 100)
    assert statuses == {200: 100 - BEFORE, 429: BEFORE}

    world.clock.set(MIDNIGHT - SECOND / 2)
    with under_load(world.caller, PATH) as load:
        wait_until(lambda: world.used() == 100 and world.is_day_of(MIDNIGHT), "the next day's")
        refused = load.answers()[429]
        wait_until(lambda: load.answers()[429] > refused, "refused again")

    assert load.answers()[200] == 100
    files = world.at_rest()
    assert used_on(files, MIDNIGHT - DAY) == used_on(files, MIDNIGHT) == 100
    assert sum(admitted(files, Step.DAY, MIDNIGHT, 2)) == 200


def test_a_clock_that_is_set(world: World) -> None:
    """Back an hour over midnight, on by two days, and back again: each day keeps its own count."""

    def ask(moment: datetime, count: int) -> int:
        world.clock.set(moment)
        statuses = world.caller.ask_all([PATH] * count)
        assert statuses == {200: count}
        assert world.is_day_of(moment)
        return world.used()

    late, early = MIDNIGHT - HOUR / 2, MIDNIGHT + HOUR / 2
    assert ask(late, 10) == BEFORE + 10
    assert ask(early, 20) == 20
    assert ask(early - HOUR, 40) == BEFORE + 50
    assert ask(early - HOUR + 2 * DAY, 80) == 80
    assert ask(early, 160) == 180

    files = world.at_rest()

    days = [MIDNIGHT + number * DAY for number in (-1, 0, 1)]
    counts = [BEFORE + 50, 180, 80]
    assert [used_on(files, day) for day in days] == counts
    assert admitted(files, Step.DAY, MIDNIGHT + DAY, 3) == counts
    assert admitted(files, Step.HOUR, MIDNIGHT, 2) == [BEFORE + 50, 180]
