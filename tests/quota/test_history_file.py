"""The history's file: what it outlives."""

from __future__ import annotations

import errno
import os
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from hubmirror.quota import history_file
from hubmirror.quota.counters import WIDTH
from hubmirror.quota.history import IHistory, MemoryHistory, Step
from hubmirror.quota.history_file import FileHistory
from tests.quota.rows import NEW_YEAR, row

SIZE = 4096 + (1440 + 840 + 400) * 512

#: Adds ones to a day's columns, and says so after each: each of the days has the same slot.
ADD_FOREVER = f"""
import sys
from pathlib import Path
from hubmirror.quota.counters import WIDTH
from hubmirror.quota.history_file import FileHistory
history = FileHistory(Path(sys.argv[1]))
number = int(sys.argv[2])
while True:
    for _ in range(3):
        history.add({NEW_YEAR} + number * 400 * 86400, [1] * WIDTH)
    print(number, flush=True)
    number += 1
"""


@contextmanager
def opened(path: Path) -> Iterator[FileHistory]:
    """The history at ``path``, closed in the end."""
    history = FileHistory(path)
    try:
        yield history
    finally:
        history.close()


def latest(history: IHistory, step: Step, until: float = NEW_YEAR) -> Sequence[int]:
    """The row that holds ``until``."""
    return history.rows(step, until, 1)[0][1].row


def test_survives_a_restart(tmp_path: Path) -> None:
    """Who opens the file again finds the rows, flushed or not, and goes on."""
    path = tmp_path / "history"
    with opened(path) as history:
        history.add(NEW_YEAR, row(1, 2))
        with opened(path) as other:
            assert latest(other, Step.MINUTE) == row(1, 2)
    with opened(path) as history:
        history.add(NEW_YEAR, row(1, 2))
        for step in Step:
            assert latest(history, step) == row(2, 4)


@pytest.mark.parametrize("step", Step)
def test_an_old_time_gives_its_slot_to_a_new_one(tmp_path: Path, step: Step) -> None:
    """Times a ring's round apart are not mistaken for one another, whichever comes last."""
    moments = [NEW_YEAR, NEW_YEAR + step.kept * step.seconds, NEW_YEAR]
    with opened(tmp_path / "history") as history:
        for moment, other in zip(moments, moments[1:] + moments[-2:-1], strict=True):
            history.add(moment, row(1))
            assert latest(history, step, moment) == row(1)
            assert latest(history, step, other) == row()


def test_a_number_that_does_not_fit_stays_the_largest(tmp_path: Path) -> None:
    """It neither begins at 0 again nor fails."""
    with opened(tmp_path / "history") as history:
        for _ in range(2):
            history.add(NEW_YEAR, row(2**63 + 1, 2**80))
        assert latest(history, Step.DAY) == row(2**64 - 1, 2**64 - 1)


def test_the_file_is_private_small_and_whole(tmp_path: Path) -> None:
    """Only the owner reads it, all of it is written, and it never grows."""
    path = tmp_path / "history"
    with opened(path) as history:
        for number in range(2000):
            history.add(NEW_YEAR + number * 3600, row(1))
        status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_size == SIZE < 50 << 20
    assert status.st_blocks * 512 >= SIZE
    assert list(tmp_path.iterdir()) == [path]


def test_columns_have_room() -> None:
    """Those that there are fit into a slot; a new one may come at the end."""
    assert WIDTH <= 63


def test_an_upgrade_keeps_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that knows more columns reads zeros in them; one that knows fewer leaves them."""
    path = tmp_path / "history"
    with monkeypatch.context() as older:
        older.setattr(history_file, "WIDTH", 3)
        with opened(path) as history:
            history.add(NEW_YEAR, [1, 2, 3])
            assert latest(history, Step.HOUR) == [1, 2, 3]
    with opened(path) as history:
        assert latest(history, Step.HOUR) == row(1, 2, 3)
        history.add(NEW_YEAR, [1] * WIDTH)
    with monkeypatch.context() as older:
        older.setattr(history_file, "WIDTH", 3)
        with opened(path) as history:
            history.add(NEW_YEAR, [1, 1, 1])
    with opened(path) as history:
        assert latest(history, Step.HOUR) == [3, 4, 5, *[1] * (WIDTH - 3)]


def test_a_remnant_of_a_first_start_is_no_matter(tmp_path: Path) -> None:
    """A process killed while it made the file leaves one that the next overwrites."""
    (tmp_path / "history.new").write_bytes(b"half")
    with opened(tmp_path / "history"):
        assert list(tmp_path.iterdir()) == [tmp_path / "history"]


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", bytes(4096), bytes(SIZE), b"\xff" * SIZE],
    ids=["empty", "short", "a page", "zeros", "ones"],
)
def test_a_file_that_is_no_history_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """It keeps its bytes under another name, the log says so, and all starts anew."""
    path = tmp_path / "history"
    path.write_bytes(content)
    with capturedLogs() as events, opened(path) as history:
        history.add(NEW_YEAR, row(1))
        assert latest(history, Step.DAY) == row(1)
    assert (tmp_path / "history.damaged-1").read_bytes() == content
    assert [event["aside"] for event in events] == [str(tmp_path / "history.damaged-1")]


@pytest.mark.parametrize("word", range(6))
def test_another_version_is_set_aside(tmp_path: Path, word: int) -> None:
    """Neither another version nor rings or slots of another size are misread."""
    path = tmp_path / "history"
    with opened(path) as history:
        history.add(NEW_YEAR, row(1))
    content = bytearray(path.read_bytes())
    content[word * 8 : word * 8 + 8] = (2).to_bytes(8, sys.byteorder)
    path.write_bytes(content)
    with opened(path) as history:
        assert latest(history, Step.DAY) == row()
    assert (tmp_path / "history.damaged-1").read_bytes() == content


@pytest.mark.parametrize("size", [100, SIZE - 512, SIZE + 512])
def test_a_file_of_another_size_is_set_aside(tmp_path: Path, size: int) -> None:
    """A part of a history is none, however it begins."""
    path = tmp_path / "history"
    with opened(path):
        pass
    os.truncate(path, size)
    with opened(path) as history:
        history.add(NEW_YEAR, row(1))
    assert (tmp_path / "history.damaged-1").stat().st_size == size


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_set_aside(tmp_path: Path, make: object) -> None:
    """A folder, a pipe or a dangling link in its place stops nothing."""
    assert callable(make)
    make(tmp_path / "history")
    with opened(tmp_path / "history"):
        assert os.path.lexists(tmp_path / "history.damaged-1")


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """The caller learns what is wrong: nothing is counted in vain."""
    with pytest.raises(FileNotFoundError):
        FileHistory(tmp_path / "missing" / "history")


def test_a_failed_flush_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller learns of a disk that fails; what is unwritten stays so, and is not forgotten."""
    synced: list[int] = []

    def fail_once(fd: int) -> None:
        synced.append(fd)
        if len(synced) == 1:
            raise OSError(errno.EIO, "the disk fails")

    with opened(tmp_path / "history") as history:
        history.add(NEW_YEAR, row(1))
        monkeypatch.setattr(os, "fsync", fail_once)
        with pytest.raises(OSError, match="the disk fails"):
            history.flush()
        history.flush()
        history.flush()
        assert len(synced) == 2


def test_a_row_that_comes_during_a_flush_is_flushed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the one that runs has it, nobody knows."""
    synced: list[int] = []
    with opened(tmp_path / "history") as history:

        def add_meanwhile(fd: int) -> None:
            synced.append(fd)
            if len(synced) == 1:
                history.add(NEW_YEAR, row(1))

        history.add(NEW_YEAR, row(1))
        monkeypatch.setattr(os, "fsync", add_meanwhile)
        for _ in range(3):
            history.flush()
        assert len(synced) == 2


def test_a_thread_flushes_while_rows_are_added(tmp_path: Path) -> None:
    """Nothing is lost, nothing is counted twice."""
    path, is_over = tmp_path / "history", Event()
    with opened(path) as history:

        def flush() -> None:
            while not is_over.is_set():
                history.flush()

        thread = Thread(target=flush)
        thread.start()
        try:
            for number in range(2000):
                history.add(NEW_YEAR + number, [1] * WIDTH)
        finally:
            is_over.set()
            thread.join()
    with opened(path) as history:
        assert latest(history, Step.DAY) == [2000] * WIDTH


def test_kill_9_never_counts_one_time_as_another(tmp_path: Path) -> None:
    """A process is killed, again and again, while it gives one slot to day after day.

    What it said it had added is there; of the next day there are at most three additions, and
    nothing of the one that had the slot before.
    """
    path, number = tmp_path / "history", 0
    for seconds in (0, 0.001, 0.002, 0.003, 0.005, 0.008, 0.013, 0.021):
        number = said_until_killed(path, number, seconds)
        with opened(path) as history:
            said, after = (
                latest(history, Step.DAY, NEW_YEAR + day * 400 * 86400)
                for day in (number, number + 1)
            )
        assert said in ([3] * WIDTH, row())
        assert max(after) <= 3
        number += 2
    assert list(tmp_path.iterdir()) == [path]


def test_each_store_leaves_the_file_right(tmp_path: Path) -> None:
    """Whichever store is the last one before a kill: a time has its own numbers, or none."""
    path, copy = tmp_path / "history", tmp_path / "copy"
    later = NEW_YEAR + 400 * 86400
    found: set[tuple[int, ...]] = set()

    def look() -> None:
        copy.write_bytes(path.read_bytes())
        with opened(copy) as history:
            found.add((*latest(history, Step.DAY), *latest(history, Step.DAY, later)))

    with opened(path) as history:
        history.add(NEW_YEAR, [7] * WIDTH)
        with at_each_line_of(history_file.__file__, look):
            history.add(later, [1] * WIDTH)
    begun = ((0,) * WIDTH + (1,) * done + (0,) * (WIDTH - done) for done in range(WIDTH + 1))
    assert found == {(7,) * WIDTH + (0,) * WIDTH, *begun}


#: Moments around one, that jump both ways: by minutes, hours and days, within what is kept.
MOMENTS = st.builds(
    lambda minutes, seconds: NEW_YEAR + 60 * minutes + seconds,
    st.integers(0, 24 * 60 - 1) | st.sampled_from([0, 59, 60, 1439]),
    st.floats(0, 59.5),
)
ROWS = st.lists(st.integers(0, 2**40), max_size=4).map(lambda numbers: row(*numbers))


@settings(max_examples=40)  # each compares all that is kept
@given(st.lists(st.tuples(MOMENTS, ROWS, st.booleans()), max_size=12))
def test_equals_the_history_in_memory_within_a_day(
    adds: list[tuple[float, list[int], bool]],
) -> None:
    """All three steps, after each addition and each restart."""
    with TemporaryDirectory() as folder:
        agree(Path(folder) / "history", adds, {step: step.kept for step in Step})


@given(
    st.lists(
        st.tuples(
            st.integers(0, 399 * 86400).map(lambda seconds: NEW_YEAR + seconds),
            ROWS,
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_equals_the_history_in_memory_within_all_days(
    adds: list[tuple[float, list[int], bool]],
) -> None:
    """Days that jump as far as days are kept."""
    with TemporaryDirectory() as folder:
        agree(Path(folder) / "history", adds, {Step.DAY: Step.DAY.kept})


def agree(path: Path, adds: list[tuple[float, list[int], bool]], counts: dict[Step, int]) -> None:
    """A history in a file, restarted where an addition says so, has what one in memory has."""
    memory, file = MemoryHistory(), FileHistory(path)
    try:
        for moment, numbers, restart in adds:
            memory.add(moment, numbers)
            file.add(moment, numbers)
            if restart:
                file.close()
                file = FileHistory(path)
        for step, count in counts.items():
            last = NEW_YEAR + step.seconds * (count - 1)
            assert file.rows(step, last, count) == memory.rows(step, last, count)
    finally:
        file.close()


@contextmanager
def at_each_line_of(file: str, look: Callable[[], None]) -> Iterator[None]:
    """Call ``look`` before each line that this thread executes in ``file``."""

    def trace(frame: FrameType, event: str, _arg: object) -> object:
        if frame.f_code.co_filename != file:
            return None
        if event == "line":
            look()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.settrace(before)


def said_until_killed(path: Path, number: int, seconds: float) -> int:
    """The last number that a process says before it is killed, ``seconds`` after its first."""
    command = [sys.executable, "-c", ADD_FOREVER, str(path), str(number)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        select.select([], [], [], seconds)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
    return int([line for line in said.splitlines(keepends=True) if line.endswith(b"\n")][-1])
