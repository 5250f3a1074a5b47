"""The quota's life in the daemon: written while it runs, whole at its end, warnings told."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogEvent, LogLevel, capturedLogs, eventAsText

from hubmirror.accounting import FLUSH, SAVE_BOOKS, Accounting
from hubmirror.config import Config, load
from hubmirror.question import Client, Ping, Question
from hubmirror.quota.accounts import Dimension
from hubmirror.quota.history import Step
from hubmirror.quota.quota import Quota
from tests.conftest import LoggedFailures

NOON = 20454.5 * 86400
QUESTION = Question("GET", Ping(), Client("192.0.2.1", "https://mirror.example"))


class ThreadedClock(Clock):
    """A clock that is driven by hand, and hears what threads report in the reactor's thread."""

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor
        self.heard = 0

    def callFromThread(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """See ``IReactorFromThreads``."""
        self._reactor.callFromThread(self._hear, work, args, kwargs)

    def _hear(self, work: Callable[..., Any], args: Any, kwargs: Any) -> None:
        work(*args, **kwargs)
        self.heard += 1

    async def written(self) -> None:
        """Let a second pass, and wait until what that writes is written."""
        heard = self.heard
        self.advance(FLUSH)
        while self.heard == heard:
            await turn(self._reactor)


def turn(reactor: Any) -> Deferred[None]:
    """The reactor turns for a moment."""
    return deferLater(reactor, 0.002, lambda: None)


class Scene:
    """An accounting in a folder of its own."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        self.clock = ThreadedClock(reactor)
        self.folder = folder
        self.told: list[dict[str, object]] = []
        self._open: list[Accounting] = []

    def config(self, folder: Path | None = None, **flags: str) -> Config:
        """A configuration over the folder."""
        return load({"data": str(folder or self.folder), **flags}, {}).config

    def begin(self, folder: Path | None = None, **flags: str) -> Accounting:
        """A daemon's accounting begins."""
        made = Accounting(self.clock, self.config(folder, **flags), self.now, self.tell)
        self._open.append(made)
        return made

    def end(self, accounting: Accounting) -> None:
        """And ends."""
        self._open.remove(accounting)
        accounting.close()

    def end_all(self) -> None:
        """Whatever still runs."""
        for accounting in list(self._open):
            self.end(accounting)

    def killed(self, name: str) -> Quota:
        """What a new process would find if the one that runs were killed now."""
        folder = self.folder.with_name(name)
        shutil.copytree(self.folder, folder)
        return self.begin(folder).quota

    def now(self) -> float:
        """The wall clock goes with the clock."""
        return NOON + self.clock.seconds()

    def tell(self, event: dict[str, object]) -> None:
        """Hear a warning."""
        self.told.append(event)


@pytest.fixture
def scene(reactor: Any, tmp_path: Path) -> Iterator[Scene]:
    """An empty folder, and what is begun in it ended."""
    folder = tmp_path / "data"
    folder.mkdir()
    made = Scene(reactor, folder)
    yield made
    made.end_all()


def ask(quota: Quota, times: int) -> None:
    """``times`` requests of one client."""
    for _ in range(times):
        quota.admit(QUESTION)


def spent(quota: Quota) -> list[int]:
    """What is told of the clients of today."""
    return [entry.requests for entry in quota.top(Dimension.ADDRESS, 10)]


def texts(events: Sequence[LogEvent], level: LogLevel) -> list[str]:
    """What an accounting has logged at ``level``."""
    return [
        eventAsText(event, includeTimestamp=False, includeSystem=False)
        for event in events
        if event["log_namespace"] == "hubmirror.accounting.Accounting"
        and event["log_level"] is level
    ]


def fail(_fd: int) -> None:
    """A disk that is full."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_closing_writes_all(scene: Scene) -> None:
    """Whether or not it was started: the day, the minute, and every account."""
    accounting = scene.begin(quota="100", quota_minute="50")
    ask(accounting.quota, 7)
    scene.end(accounting)
    quota = scene.begin(quota="100", quota_minute="50").quota
    assert (quota.day().used, quota.minute().used, spent(quota)) == (7, 7, [7])


@ensureDeferred
async def test_history_is_written_each_second_and_accounts_each_ten(scene: Scene) -> None:
    """So much is there after a ``kill -9``; the day's count always is."""
    accounting = scene.begin()
    accounting.start()
    ask(accounting.quota, 7)
    await scene.clock.written()
    quota = scene.killed("after one second")
    assert (quota.day().used, quota.tally.latest(Step.DAY).admitted, spent(quota)) == (7, 7, [])
    for _ in range(int(SAVE_BOOKS / FLUSH) - 1):
        await scene.clock.written()
    ask(accounting.quota, 2)
    quota = scene.killed("after ten seconds")
    assert (quota.day().used, quota.tally.latest(Step.DAY).admitted, spent(quota)) == (9, 7, [7])


@ensureDeferred
async def test_closing_while_it_runs_writes_all(scene: Scene) -> None:
    """Also what the thread has not come to; and nothing runs afterwards."""
    accounting = scene.begin()
    accounting.start()
    await scene.clock.written()
    ask(accounting.quota, 7)
    scene.clock.advance(FLUSH)
    ask(accounting.quota, 1)
    scene.end(accounting)
    assert scene.clock.getDelayedCalls() == []
    assert spent(scene.begin().quota) == [8]


@ensureDeferred
async def test_a_failing_disk_is_logged_once_until_it_works_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, logged_failures: LoggedFailures
) -> None:
    """Requests go on, and in the end nothing is lost."""
    accounting = scene.begin()
    accounting.start()
    with capturedLogs() as events:
        with monkeypatch.context() as broken:
            broken.setattr("os.fsync", fail)
            for _ in range(int(SAVE_BOOKS / FLUSH) + 2):
                ask(accounting.quota, 1)
                await scene.clock.written()
        assert len(logged_failures.take(OSError)) == 1
        await scene.clock.written()
        await scene.clock.written()
    assert texts(events, LogLevel.info) == ["the counts are written again"]
    scene.end(accounting)
    quota = scene.begin().quota
    assert (quota.day().used, spent(quota)) == (12, [12])


def test_a_disk_that_fails_at_the_end_is_logged(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, logged_failures: LoggedFailures
) -> None:
    """All the rest of the daemon is still to be closed."""
    accounting = scene.begin()
    ask(accounting.quota, 1)
    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", fail)
        scene.end(accounting)
    assert len(logged_failures.take(OSError)) == 1


def test_a_file_that_can_not_be_opened_is_an_error(scene: Scene) -> None:
    """The daemon tells it in a line."""
    with pytest.raises(OSError, match="quota"):
        scene.begin(scene.folder / "missing")


def test_a_reload_changes_the_rules(scene: Scene) -> None:
    """And nothing of what is spent."""
    accounting = scene.begin(quota="100")
    ask(accounting.quota, 7)
    accounting.reload(scene.config(quota="10"))
    day = accounting.quota.day()
    assert (day.limit, day.used, day.remaining) == (10, 7, 3)


def test_warnings_are_logged_and_told(scene: Scene) -> None:
    """Once each, with all that a person or a program needs."""
    accounting = scene.begin(quota="100")
    with capturedLogs() as events:
        ask(accounting.quota, 99)
    assert texts(events, LogLevel.warn) == [
        f"{percent} % of today's 100 requests are spent;"
        " the count starts anew at 2026-01-02T00:00:00Z"
        for percent in (50, 80, 95)
    ]
    assert [event["percent"] for event in scene.told] == [50, 80, 95]
    assert scene.told[0] == {
        "event": "quota",
        "percent": 50,
        "limit": 100,
        "used": 50,
        "reset": "2026-01-02T00:00:00Z",
    }


def test_a_warning_that_can_not_be_told_fails_no_request(
    scene: Scene, logged_failures: LoggedFailures
) -> None:
    """It is in the log all the same."""

    def tell(_event: dict[str, object]) -> None:
        raise ValueError

    accounting = Accounting(scene.clock, scene.config(quota="2"), scene.now, tell)
    assert accounting.quota.admit(QUESTION).refusal is None
    assert len(logged_failures.take(ValueError)) == 1
    accounting.close()
