"""Ledgers: one contract for all, and a file that outlives ``kill -9``."""

from __future__ import annotations

import errno
import os
import random
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from hubmirror.quota.ledger import FileLedger, ILedger, MemoryLedger

TODAY = 20454

ADD_FOREVER = f"""
import sys
from pathlib import Path
from hubmirror.quota.ledger import FileLedger
ledger = FileLedger(Path(sys.argv[1]))
print(ledger.used({TODAY}), flush=True)
while True:
    print(ledger.add({TODAY}), flush=True)
"""


@contextmanager
def opened(path: Path) -> Iterator[FileLedger]:
    """The ledger at ``path``, closed in the end."""
    ledger = FileLedger(path)
    try:
        yield ledger
    finally:
        ledger.close()


class LedgerContract:
    """What any ledger does."""

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[ILedger]:
        """An empty ledger."""
        raise NotImplementedError

    def test_provides_the_interface(self, ledger: ILedger) -> None:
        """Signatures are those of ``ILedger``."""
        assert verifyObject(ILedger, ledger)

    def test_begins_at_zero(self, ledger: ILedger) -> None:
        """A day that nothing was added to has the count 0."""
        assert ledger.used(TODAY) == 0

    def test_adds_one_at_a_time(self, ledger: ILedger) -> None:
        """``add`` returns what ``used`` then says."""
        for expected in range(1, 1000):
            assert ledger.add(TODAY) == expected
            assert ledger.used(TODAY) == expected

    def test_adds_many_at_once(self, ledger: ILedger) -> None:
        """As if they had come one after another; none is none, and of its own day alone."""
        assert ledger.add(TODAY, 5) == 5
        assert ledger.add(TODAY) == 6
        assert ledger.add(TODAY, 100_000) == 100_006
        assert ledger.add(TODAY, 0) == 100_006
        assert ledger.add(TODAY + 1, 3) == 3
        assert (ledger.used(TODAY), ledger.used(TODAY + 1)) == (100_006, 3)

    def test_none_added_to_a_new_day_is_none(self, ledger: ILedger) -> None:
        """The day begins all the same."""
        assert ledger.add(TODAY, 0) == 0
        assert ledger.used(TODAY) == 0

    def test_days_are_apart(self, ledger: ILedger) -> None:
        """A clock that steps back and forth meets each day's own count again."""
        days = [TODAY, TODAY + 1, TODAY, TODAY - 3, TODAY, TODAY + 1]
        assert [ledger.add(day) for day in days] == [1, 1, 2, 1, 3, 2]

    @pytest.mark.parametrize("day", [0, -1, 1, 2**24, -(2**30), 2**40])
    def test_any_day_counts(self, ledger: ILedger, day: int) -> None:
        """A clock that is badly wrong is no reason to fail."""
        ledger.add(day)
        assert ledger.used(day) == 1

    def test_flush_changes_no_count(self, ledger: ILedger) -> None:
        """It may be called at any time, and again."""
        ledger.flush()
        ledger.add(TODAY)
        ledger.flush()
        ledger.flush()
        assert ledger.used(TODAY) == 1


class TestMemoryLedger(LedgerContract):
    """The contract, in memory."""

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> ILedger:
        return MemoryLedger()


class TestFileLedger(LedgerContract):
    """The contract, in a file."""

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[ILedger]:
        with opened(tmp_path / "quota") as ledger:
            yield ledger


def test_survives_a_restart(tmp_path: Path) -> None:
    """Who opens the file again finds the counts, flushed or not."""
    path = tmp_path / "quota"
    with opened(path) as ledger:
        ledger.add(TODAY)
        ledger.add(TODAY)
        ledger.add(TODAY + 1)
        with opened(path) as other:
            assert other.used(TODAY) == 2
    with opened(path) as ledger:
        assert (ledger.used(TODAY), ledger.used(TODAY + 1)) == (2, 1)
        assert ledger.add(TODAY) == 3


def test_many_added_at_once_survive_a_restart(tmp_path: Path) -> None:
    """Also where they are the first of a day that takes an old one's slot."""
    with opened(tmp_path / "quota") as ledger:
        ledger.add(TODAY, 7)
        ledger.add(TODAY + 366, 40)
    with opened(tmp_path / "quota") as ledger:
        assert ledger.used(TODAY) == 0
        assert ledger.add(TODAY + 366, 2) == 42


def test_an_old_day_gives_its_slot_to_a_new_one(tmp_path: Path) -> None:
    """Days a slot's round apart are not mistaken for one another."""
    with opened(tmp_path / "quota") as ledger:
        ledger.add(TODAY)
        assert ledger.used(TODAY + 366) == 0
        assert ledger.add(TODAY + 366) == 1
        assert ledger.used(TODAY) == 0


def test_the_file_is_private_and_whole(tmp_path: Path) -> None:
    """One page that only the owner reads, all of it written, and nothing beside it."""
    path = tmp_path / "quota"
    with opened(path):
        status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_size == 4096
    assert status.st_blocks * 512 >= 4096
    assert list(tmp_path.iterdir()) == [path]


def test_a_remnant_of_a_first_start_is_no_matter(tmp_path: Path) -> None:
    """A process killed while it made the file leaves one that the next overwrites."""
    (tmp_path / "quota.new").write_bytes(b"half")
    with opened(tmp_path / "quota") as ledger:
        assert ledger.add(TODAY) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "quota"]


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", bytes(4096), b"\xff" * 4096, b"x" * 8192],
    ids=["empty", "short", "zeros", "ones", "long"],
)
def test_a_file_that_is_no_ledger_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """It keeps its bytes under another name, the log says so, and counting goes on from 0."""
    path = tmp_path / "quota"
    path.write_bytes(content)
    with capturedLogs() as events, opened(path) as ledger:
        assert ledger.add(TODAY) == 1
    assert (tmp_path / "quota.damaged-1").read_bytes() == content
    assert [event["aside"] for event in events] == [str(tmp_path / "quota.damaged-1")]


def test_another_version_is_set_aside(tmp_path: Path) -> None:
    """A newer program's ledger isn't misread."""
    path = tmp_path / "quota"
    with opened(path):
        pass
    page = bytearray(path.read_bytes())
    page[8:16] = (2).to_bytes(8, sys.byteorder)
    path.write_bytes(page)
    with opened(path) as ledger:
        assert ledger.used(TODAY) == 0
    assert (tmp_path / "quota.damaged-1").read_bytes() == page


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_set_aside(tmp_path: Path, make: object) -> None:
    """A folder, a pipe or a dangling link in the ledger's place stops nothing."""
    path = tmp_path / "quota"
    assert callable(make)
    make(path)
    with opened(path) as ledger:
        assert ledger.add(TODAY) == 1
    assert os.path.lexists(tmp_path / "quota.damaged-1")


def test_every_damaged_file_is_kept(tmp_path: Path) -> None:
    """A second one takes a second name."""
    path = tmp_path / "quota"
    for content in (b"first", b"second"):
        path.write_bytes(content)
        with opened(path):
            pass
    assert (tmp_path / "quota.damaged-1").read_bytes() == b"first"
    assert (tmp_path / "quota.damaged-2").read_bytes() == b"second"


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """The caller learns what is wrong: nothing is counted in vain."""
    with pytest.raises(FileNotFoundError):
        FileLedger(tmp_path / "missing" / "quota")


def test_a_failed_flush_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller learns of a disk that fails; what is unwritten stays so, and is not forgotten."""
    synced: list[int] = []

    def fail_once(fd: int) -> None:
        synced.append(fd)
        if len(synced) == 1:
            raise OSError(errno.EIO, "the disk fails")

    with opened(tmp_path / "quota") as ledger:
        ledger.add(TODAY)
        monkeypatch.setattr(os, "fsync", fail_once)
        with pytest.raises(OSError, match="the disk fails"):
            ledger.flush()
        assert ledger.used(TODAY) == 1
        ledger.flush()
        ledger.flush()
        assert len(synced) == 2


def test_kill_9_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """A process that says each count after adding it is killed, again and again.

    What it said last is there, or one more that it had no time to say; the next goes on.
    """
    path = tmp_path / "quota"
    before = 0
    for _ in range(10):
        first, said = said_until_killed(path, random.uniform(0, 0.02))  # noqa: S311 - no secret
        assert first == before
        with opened(path) as ledger:
            used = ledger.used(TODAY)
        assert said <= used <= said + 1
        before = used
    assert before > 0
    assert list(tmp_path.iterdir()) == [path]


def said_until_killed(path: Path, seconds: float) -> tuple[int, int]:
    """The first and the last count that a process says before it is killed.

    It is killed ``seconds`` after its first word.
    """
    command = [sys.executable, "-c", ADD_FOREVER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=with_our_path()) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        select.select([], [], [], seconds)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    said = [int(line) for line in (first + rest).splitlines(keepends=True) if line.endswith(b"\n")]
    return said[0], said[-1]


def with_our_path() -> dict[str, str]:
    """The environment, with this checkout's modules first."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
