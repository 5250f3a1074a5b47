"""The accounts' file: what it outlives."""

from __future__ import annotations

import os
import random
import select
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from hubmirror.quota.accounts import Dimension, Entry
from hubmirror.quota.books import MOST_ACCOUNTS
from hubmirror.quota.books_file import FileBooks
from tests.quota.full_disk import full_disk

TODAY = 20454

CLIENT = Entry(Dimension.ADDRESS, "192.0.2.1", 1, 2, 3, 4, 5)
USER = Entry(Dimension.USER, "somebody", 6, 7, 8, 9, 10)

#: Gives two hundred accounts one number, flushes, says the number, and so on with the next.
SAVE_FOREVER = f"""
import sys
from itertools import count
from pathlib import Path
from hubmirror.quota.accounts import Dimension, Entry
from hubmirror.quota.books_file import FileBooks
books = FileBooks(Path(sys.argv[1]))
for number in count(int(sys.argv[2])):
    names = [f"{{name:03}}" for name in range(200)]
    books.save({TODAY}, [Entry(Dimension.ADDRESS, name, number) for name in names])
    books.flush()
    print(number, flush=True)
"""


@contextmanager
def opened(path: Path) -> Iterator[FileBooks]:
    """The books at ``path``, closed in the end."""
    books = FileBooks(path)
    try:
        yield books
    finally:
        books.close()


def files(folder: Path) -> list[str]:
    """The names of all that is in ``folder`` and has content."""
    return sorted(path.name for path in folder.iterdir() if path.stat().st_size)


def test_survives_a_restart(tmp_path: Path) -> None:
    """Closing flushes; who opens the file again finds all."""
    with opened(tmp_path / "books") as books:
        books.save(TODAY, [CLIENT])
        books.save(TODAY + 1, [USER])
    with opened(tmp_path / "books") as books:
        assert books.load(TODAY) == [CLIENT]
        assert books.load(TODAY + 1) == [USER]


def test_what_is_flushed_is_in_the_file(tmp_path: Path) -> None:
    """Not only once it is closed."""
    with opened(tmp_path / "books") as books, opened(tmp_path / "books") as other:
        books.save(TODAY, [CLIENT])
        assert other.load(TODAY) == []
        books.flush()
        assert other.load(TODAY) == [CLIENT]


def test_the_days_that_were_saved_last_are_kept_over_a_restart(tmp_path: Path) -> None:
    """Whatever their numbers: a machine whose clock begins in 1970 keeps its last real day."""
    for day in (TODAY - 1, TODAY, 0):
        with opened(tmp_path / "books") as books:
            books.save(day, [CLIENT])
    with opened(tmp_path / "books") as books:
        assert books.load(TODAY) == books.load(0) == [CLIENT]
        assert books.load(TODAY - 1) == []


def test_only_the_owner_reads_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the file nor the journal beside it: they say who pulls what."""
    modes: dict[str, int] = {}

    def looking() -> Iterator[Entry]:
        yield CLIENT
        for path in tmp_path.iterdir():
            modes[path.name] = stat.S_IMODE(path.stat().st_mode)

    class Looking(list[Entry]):
        def __iter__(self) -> Iterator[Entry]:
            return looking()

    umask = os.umask(0)
    try:
        with opened(tmp_path / "books") as books:
            books.save(TODAY, [USER])
            books.flush()
            monkeypatch.setattr("hubmirror.quota.books_file.Days.all", lambda _: [(1, Looking())])
            books.save(1, [CLIENT])
            books.flush()
            monkeypatch.undo()
    finally:
        os.umask(umask)
    assert modes == {"books": 0o600, "books-journal": 0o600}


@pytest.mark.parametrize(
    "content", [b"hello", bytes(4096), b"\xff" * 8192, b"SQLite format 3\0" + b"x" * 8000]
)
def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """It keeps its bytes under another name, the log says so, and accounts start anew."""
    (tmp_path / "books").write_bytes(content)
    with capturedLogs() as events, opened(tmp_path / "books") as books:
        books.save(TODAY, [CLIENT])
        books.flush()
        assert books.load(TODAY) == [CLIENT]
    assert (tmp_path / "books.damaged-1").read_bytes() == content
    assert [event["aside"] for event in events] == [str(tmp_path / "books.damaged-1")]


def test_an_empty_file_is_a_first_start_that_was_killed(tmp_path: Path) -> None:
    """Nothing is set aside for it."""
    (tmp_path / "books").touch()
    with opened(tmp_path / "books") as books:
        books.save(TODAY, [CLIENT])
    assert files(tmp_path) == ["books"]


@pytest.mark.parametrize(
    "change",
    [
        "PRAGMA user_version = 2",
        "PRAGMA user_version = 0",
        "CREATE TABLE more (column)",
        "DROP TABLE days",
        "ALTER TABLE entries ADD COLUMN more",
        "PRAGMA journal_mode = WAL",
    ],
)
def test_another_schema_is_set_aside(tmp_path: Path, change: str) -> None:
    """A newer program's accounts aren't misread, and are left as they are."""
    with opened(tmp_path / "books") as books:
        books.save(TODAY, [CLIENT])
    connection = sqlite3.connect(tmp_path / "books", isolation_level=None)
    connection.execute(change)
    connection.close()
    before = (tmp_path / "books").read_bytes()
    with opened(tmp_path / "books") as books:
        assert books.load(TODAY) == []
        books.save(TODAY, [USER])
    with opened(tmp_path / "books") as books:
        assert books.load(TODAY) == [USER]
    assert (tmp_path / "books.damaged-1").read_bytes() == before


def test_a_journal_goes_with_its_file(tmp_path: Path) -> None:
    """SQLite would play it back into the new one."""
    (tmp_path / "books").mkdir()
    (tmp_path / "books-journal").write_bytes(b"of another file")
    with opened(tmp_path / "books"):
        assert (tmp_path / "books.damaged-1-journal").read_bytes() == b"of another file"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_set_aside(tmp_path: Path, make: object) -> None:
    """A folder, a pipe or a dangling link in its place stops nothing."""
    assert callable(make)
    make(tmp_path / "books")
    with opened(tmp_path / "books") as books:
        books.save(TODAY, [CLIENT])
    assert os.path.lexists(tmp_path / "books.damaged-1")


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """The caller learns what is wrong."""
    with pytest.raises(FileNotFoundError):
        FileBooks(tmp_path / "missing" / "books")


@pytest.mark.parametrize("call", ["load", "flush"])
def test_damage_that_shows_later_is_set_aside_then(tmp_path: Path, call: str) -> None:
    """The daemon goes on, and so do the accounts that it saves."""
    with opened(tmp_path / "books") as books:
        books.save(TODAY, [CLIENT])
        books.flush()
        (tmp_path / "books").write_bytes(b"x" * (tmp_path / "books").stat().st_size)
        with capturedLogs() as events:
            if call == "load":
                assert books.load(TODAY) == []
            books.save(TODAY, [USER])
            books.flush()
        assert books.load(TODAY) == [USER]
        assert [event["aside"] for event in events] == [str(tmp_path / "books.damaged-1")]


def test_rows_that_nobody_wrote_are_left_out(tmp_path: Path) -> None:
    """SQLite takes any value in any column."""
    with opened(tmp_path / "books") as books:
        books.save(TODAY, [CLIENT])
    connection = sqlite3.connect(tmp_path / "books")
    for row in (
        ("planet", b"earth", 1),
        ("client", "text", 1),
        ("client", b"\xff\xff", 1),
        ("client", b"a", "many"),
        ("client", b"b", -1),
        ("client", b"c", 1.5),
    ):
        connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, 0, 0, 0, 0)", (TODAY, *row))
    connection.execute(
        "INSERT INTO entries VALUES (?, cast(x'ff' AS TEXT), 0, 1, 1, 1, 1, 1)", (TODAY,)
    )
    connection.commit()
    connection.close()
    with opened(tmp_path / "books") as books:
        assert books.load(TODAY) == [CLIENT]


def test_what_could_not_be_written_is_written_later(tmp_path: Path) -> None:
    """The latest of each name, and no error in between but for who flushes."""
    latest = Entry(Dimension.ADDRESS, CLIENT.name, 20)
    with opened(tmp_path / "books") as books:
        with full_disk():
            for entry in (CLIENT, USER, latest):
                books.save(TODAY, [entry])
                with pytest.raises(OSError, match="books"):
                    books.flush()
            assert sorted(books.load(TODAY), key=repr) == [latest, USER]
        books.flush()
        with opened(tmp_path / "books") as other:
            assert sorted(other.load(TODAY), key=repr) == [latest, USER]


def test_a_disk_that_stays_full_costs_no_memory_without_end(tmp_path: Path) -> None:
    """Of what can't be written the busiest are kept, of two days."""
    with opened(tmp_path / "books") as books:
        with full_disk():
            for day in (TODAY, TODAY + 1, TODAY + 2):
                books.save(day, clients(0, MOST_ACCOUNTS))
                books.save(day, clients(MOST_ACCOUNTS, 100))
                with pytest.raises(OSError, match="books"):
                    books.flush()
        counts = [len(books.load(day)) for day in (TODAY, TODAY + 1, TODAY + 2)]
        assert counts == [0, MOST_ACCOUNTS, MOST_ACCOUNTS]


def test_a_file_that_can_not_be_read_stops_nothing(tmp_path: Path) -> None:
    """Accounts start at 0, and the log says why."""
    with opened(tmp_path / "books") as books:
        books.save(TODAY, [CLIENT])
        books.flush()
        other = sqlite3.connect(tmp_path / "books", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with capturedLogs() as events:
            assert books.load(TODAY) == []
        assert "locked" in str(events[0]["error"])
        other.close()
        assert books.load(TODAY) == [CLIENT]


def test_the_file_does_not_grow_without_end(tmp_path: Path) -> None:
    """Names that come and go, day after day."""
    with opened(tmp_path / "books") as books:
        for day in range(TODAY, TODAY + 3):
            for begin in range(0, 3 * MOST_ACCOUNTS, MOST_ACCOUNTS):
                books.save(day, clients(begin, MOST_ACCOUNTS))
                books.flush()
            assert len(books.load(day)) == MOST_ACCOUNTS
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size * len(Dimension) < 50 << 20


def test_threads_may_save_flush_and_load_at_once(tmp_path: Path) -> None:
    """One waits for another, and all of it is there in the end."""
    with opened(tmp_path / "books") as books, ThreadPoolExecutor(4) as pool:

        def work(lane: int) -> None:
            for number in range(20):
                books.save(TODAY, clients(lane * 20 + number, 1))
                books.flush()
                assert len(books.load(TODAY)) > number

        for done in [pool.submit(work, lane) for lane in range(4)]:
            done.result()
    with opened(tmp_path / "books") as books:
        assert len(books.load(TODAY)) == 80


def test_kill_9_leaves_what_one_flush_left(tmp_path: Path) -> None:
    """A process that says each flush is killed, again and again: no transaction is half there."""
    path, number = tmp_path / "books", 1
    for _ in range(8):
        seconds = random.uniform(0, 0.05)  # noqa: S311 - no secret
        said = said_until_killed(path, number, seconds)
        with opened(path) as books:
            found = books.load(TODAY)
        assert len(found) == 200
        assert {entry.requests for entry in found} <= {said, said + 1}
        assert len({entry.requests for entry in found}) == 1
        number = said + 2
    assert {path.name for path in tmp_path.iterdir()} <= {"books", "books-journal"}


@pytest.fixture(scope="module")
def sound() -> bytes:
    """A file with two thousand accounts."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "books"
        with opened(path) as books:
            books.save(TODAY, clients(0, 2000))
        return path.read_bytes()


@pytest.mark.parametrize("place", range(100))
def test_no_byte_of_the_header_stops_anything(tmp_path: Path, sound: bytes, place: int) -> None:
    """Whatever it becomes: the file is read, or set aside, and can be written to."""
    for value in (0, 1, 2, 3, 127, 255):
        work_on_damaged(tmp_path / f"{value}", sound, [(place, value)])


@given(damage=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=10))
def test_no_damage_stops_anything(sound: bytes, damage: list[tuple[int, int]]) -> None:
    """Anywhere in the file."""
    with TemporaryDirectory() as folder:
        work_on_damaged(Path(folder), sound, damage)


def work_on_damaged(folder: Path, content: bytes, damage: Sequence[tuple[int, int]]) -> None:
    """Load and save with ``content`` of which some bytes are others."""
    damaged = bytearray(content)
    for place, value in damage:
        damaged[place % len(damaged)] = value
    folder.mkdir(exist_ok=True)
    (folder / "books").write_bytes(damaged)
    with opened(folder / "books") as books:
        books.load(TODAY)
        books.save(TODAY, [USER])
        books.save(TODAY + 1, [CLIENT])
    with opened(folder / "books") as books:
        assert USER in books.load(TODAY)
        assert books.load(TODAY + 1) == [CLIENT]


def clients(begin: int, count: int, dimension: Dimension = Dimension.ADDRESS) -> list[Entry]:
    """So many accounts, the later the busier."""
    return [
        Entry(dimension, f"client {number:06}", number + 1)
        for number in range(begin, begin + count)
    ]


def said_until_killed(path: Path, number: int, seconds: float) -> int:
    """The last number that a process says before it is killed, ``seconds`` after its first."""
    command = [sys.executable, "-c", SAVE_FOREVER, str(path), str(number)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        select.select([], [], [], seconds)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
    return int([line for line in said.splitlines(keepends=True) if line.endswith(b"\n")][-1])
