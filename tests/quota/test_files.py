"""The quota's files together."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve

from hubmirror.question import Client, Outcome, Ping, Question
from hubmirror.quota.accounts import Dimension, Entry
from hubmirror.quota.files import QuotaFiles
from hubmirror.quota.history import Step
from hubmirror.quota.rules import Rules
from hubmirror.quota.window import day_of
from tests.quota.full_disk import full_disk
from tests.quota.rows import NEW_YEAR, row

TODAY = day_of(NEW_YEAR)
CLIENT = Entry(Dimension.ADDRESS, "192.0.2.1", 1, 2, 3, 4, 5)

ADD_AND_DIE = f"""
import os, signal, sys
from pathlib import Path
from hubmirror.quota.counters import WIDTH
from hubmirror.quota.files import QuotaFiles
from hubmirror.quota.accounts import Dimension, Entry
files = QuotaFiles.open(Path(sys.argv[1]))
files.flush([({TODAY}, [Entry(Dimension.ADDRESS, "192.0.2.1", 1, 2, 3, 4, 5)])])
for _ in range(7):
    files.ledger.add({TODAY})
    files.history.add({NEW_YEAR}, [1] * WIDTH)
os.kill(os.getpid(), signal.SIGKILL)
"""


@contextmanager
def opened(folder: Path) -> Iterator[QuotaFiles]:
    """The files in ``folder``, closed in the end."""
    files = QuotaFiles.open(folder)
    try:
        yield files
    finally:
        files.close()


def fail() -> None:
    """As a disk does."""
    raise OSError(errno.EIO, "the disk fails")


def test_all_survive_a_restart(tmp_path: Path) -> None:
    """The count, its history and the accounts."""
    with opened(tmp_path) as files:
        files.ledger.add(TODAY)
        files.history.add(NEW_YEAR, row(1, 2, 3))
        files.flush([(TODAY - 1, []), (TODAY, [CLIENT])])
    with opened(tmp_path) as files:
        assert files.ledger.used(TODAY) == 1
        assert files.history.rows(Step.DAY, NEW_YEAR, 1)[0][1].row == row(1, 2, 3)
        assert files.books.load(TODAY) == [CLIENT]


def test_only_their_owner_reads_them(tmp_path: Path) -> None:
    """Under names that say what they are, and not too large in all."""
    with opened(tmp_path):
        found = {path.name: path.stat() for path in tmp_path.iterdir()}
    assert {"quota.ledger", "quota.history", "quota.books"} <= set(found)
    assert {stat.S_IMODE(status.st_mode) for status in found.values()} == {0o600}
    assert sum(status.st_size for status in found.values()) < 50 << 20


def test_kill_9_takes_neither_count_nor_history(tmp_path: Path) -> None:
    """What was added is there, though nobody flushed it; accounts are as they were flushed."""
    command = [sys.executable, "-c", ADD_AND_DIE, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    died = subprocess.run(command, env=environment, check=False)
    assert died.returncode == -signal.SIGKILL
    with opened(tmp_path) as files:
        assert files.ledger.used(TODAY) == 7
        for step in Step:
            assert set(files.history.rows(step, NEW_YEAR, 1)[0][1].row) == {7}
        assert files.books.load(TODAY) == [CLIENT]


def test_changes_that_could_not_be_written_are_written_later(tmp_path: Path) -> None:
    """Of each name the latest, with a flush that has no changes of its own."""
    latest, other = evolve(CLIENT, requests=20), evolve(CLIENT, name="192.0.2.2")
    with opened(tmp_path) as files:
        with full_disk():
            for changes in ([CLIENT, other], [latest]):
                with pytest.raises(OSError, match=r"quota\.books"):
                    files.flush([(TODAY, changes)])
        files.flush([])
        with opened(tmp_path) as again:
            assert sorted(again.books.load(TODAY), key=repr) == [latest, other]


@pytest.mark.parametrize("broken", ["ledger", "history", "books"])
@pytest.mark.parametrize("call", ["flush", "close"])
def test_an_error_in_one_keeps_no_other_from_the_disk(
    tmp_path: Path, broken: str, call: str
) -> None:
    """Each is flushed and closed, and the caller learns of the error."""
    done: list[str] = []

    class Noting:
        def __init__(self, name: str) -> None:
            self._name = name

        def flush(self) -> None:
            done.append(self._name)
            if self._name == broken:
                fail()

        close = flush

    files = QuotaFiles(*map(Noting, ["ledger", "history", "books"]))  # type: ignore[arg-type]
    with pytest.raises(OSError, match="the disk fails"):
        files.flush([]) if call == "flush" else files.close()
    assert done == ["ledger", "history", "books"]


@pytest.mark.parametrize("name", ["quota.ledger", "quota.history", "quota.books"])
def test_what_can_not_be_opened_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The error says which file; those that were open already are closed."""
    with opened(tmp_path):
        pass
    before = os.listdir("/proc/self/fd")
    open_ = os.open

    def refuse(path: Path, *arguments: int) -> int:
        if Path(path).name == name:
            raise PermissionError(errno.EACCES, "not allowed", str(path))
        return open_(path, *arguments)

    with monkeypatch.context() as refusing:
        refusing.setattr(os, "open", refuse)
        with pytest.raises(PermissionError, match=name):
            QuotaFiles.open(tmp_path)
    assert os.listdir("/proc/self/fd") == before


def test_a_quota_over_files_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Its count, its tally, and what each client has spent."""
    question = Question("GET", Ping(), Client("192.0.2.1", "https://mirror.example"))
    warned: list[int] = []
    for _ in range(2):
        with opened(tmp_path) as files:
            quota = files.quota(Rules(per_day=4), lambda: NEW_YEAR, warned.append)
            quota.admit(question).settle(Outcome.HIT)
            quota.tally.settle()
            files.flush(quota.take_changes())
    with opened(tmp_path) as files:
        quota = files.quota(Rules(per_day=4), lambda: NEW_YEAR)
        assert (quota.day().used, quota.day().remaining) == (2, 2)
        assert quota.tally.latest(Step.HOUR).requests == 2
        assert [entry.requests for entry in quota.top(Dimension.ADDRESS, 5)] == [2]
    assert warned == [50]
