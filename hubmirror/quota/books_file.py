"""The accounts of the latest days in SQLite."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

from twisted.logger import Logger
from zope.interface import implementer

from hubmirror.quota.accounts import OTHERS, Dimension, Entry
from hubmirror.quota.books import DAYS_KEPT, MOST_ACCOUNTS, Days, IBookStore, is_spent
from hubmirror.quota.durable import set_aside

__all__ = ["FileBooks"]

T = TypeVar("T")

#: What SQLite's module raises; it fails to decode its own message about a damaged name, too.
SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
#: What SQLite keeps beside the file; a log is there only if another program made one.
COMPANIONS: Final = ("-journal", "-wal", "-shm")
#: The versions in the header of a file without a log ("Database File Format", 1.3.3). SQLite
#: only reads from those that it does not know.
PLAIN: Final = b"\1\1"

#: ``PRAGMA user_version``, and the tables of that version. A name is UTF-8, as bytes: what
#: clients call themselves need not be text.
VERSION: Final = 1
TABLES: Final = (
    "CREATE TABLE days (day INTEGER PRIMARY KEY, saved INTEGER NOT NULL)",
    "CREATE TABLE entries (day INTEGER NOT NULL, dimension TEXT NOT NULL, name BLOB NOT NULL,"
    " requests INTEGER NOT NULL, refused INTEGER NOT NULL, bytes_in INTEGER NOT NULL,"
    " bytes_out INTEGER NOT NULL, pulls INTEGER NOT NULL,"
    " PRIMARY KEY (day, dimension, name)) WITHOUT ROWID",
)

ENTRIES: Final = (
    "SELECT dimension, name, requests, refused, bytes_in, bytes_out, pulls FROM entries"
    " WHERE day = ?"
)
PUT: Final = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
DROP: Final = "DELETE FROM entries WHERE day = ? AND dimension = ? AND name = ?"
COUNT: Final = "SELECT count(*) FROM entries WHERE day = ? AND dimension = ?"
DROP_THE_LEAST: Final = (
    "DELETE FROM entries WHERE day = ? AND dimension = ? AND name NOT IN ("
    "SELECT name FROM entries WHERE day = ? AND dimension = ?"
    " ORDER BY name = ? DESC, requests + refused DESC, bytes_out DESC LIMIT ?)"
)
SAVED: Final = "INSERT OR REPLACE INTO days SELECT ?, coalesce(max(saved), 0) + 1 FROM days"
OLD_DAYS: Final = "SELECT day FROM days ORDER BY saved DESC LIMIT -1 OFFSET ?"

#: How long another program (somebody's sqlite3, a backup) may hold the file, in seconds, before
#: that is an error: requests wait while a day's accounts are loaded.
PATIENCE: Final = 1.0

#: The integers that SQLite has.
LEAST: Final = -(1 << 63)
MOST: Final = (1 << 63) - 1


@implementer(IBookStore)
class FileBooks:
    """Entries in an SQLite file, which only its owner may read.

    What is saved is in memory until ``flush``, which brings it to the file in one transaction:
    a ``kill -9`` or a power cut leaves the file as one of them left it. A file that is damaged,
    or not ours, or of another version, is set aside as ``NAME.damaged-N`` with an error in the
    log, whenever that is noticed, and an empty one takes its place.

    Raises ``OSError`` where the file can't be opened or made. One process has it at a time.
    """

    _log = Logger(namespace="quota")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._at_work = Lock()  # for who uses the file
        self._unsaved = Days()
        self._noting = Lock()  # for who changes _unsaved, never for long
        self._do(lambda _connection: None)

    def load(self, day: int) -> list[Entry]:
        """See ``IBookStore``."""
        with self._at_work:
            try:
                found = self._do(lambda connection: _read(connection, day))
            except OSError as error:
                self._log.error("accounts can't be read: {error}", error=error)
                found = []
            with self._noting:
                found += self._unsaved.of(day)
        latest = {(entry.dimension, entry.name): entry for entry in found}
        return [entry for entry in latest.values() if is_spent(entry)]

    def save(self, day: int, entries: Sequence[Entry]) -> None:
        """See ``IBookStore``."""
        with self._noting:
            self._unsaved.save(day, entries)

    def flush(self) -> None:
        """See ``IBookStore``."""
        with self._at_work:
            with self._noting:
                unsaved, self._unsaved = self._unsaved, Days()
            try:
                self._do(lambda connection: _write(connection, unsaved.all()))
            except BaseException:
                self._take_back(unsaved)
                raise

    def close(self) -> None:
        """Flush and end. Raises ``OSError`` where the disk fails, and is closed nonetheless."""
        try:
            self.flush()
        finally:
            self._disconnect()

    def _take_back(self, unsaved: Days) -> None:
        """Could not be written; what has come meanwhile is newer."""
        with self._noting:
            for day, entries in self._unsaved.all():
                unsaved.save(day, entries)
            self._unsaved = unsaved

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Work on the file; or if it turns out to be damaged, on an empty one in its place."""
        try:
            try:
                return work(self._connected())
            except SQLITE_ERRORS as error:
                if not _is_damage(error):
                    raise
                self._disconnect()
                self._set_aside(error)
                return work(self._connected())
        except SQLITE_ERRORS as error:
            raise OSError(f"{self._path}: {error}") from error

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            if os.path.lexists(self._path) and not self._path.is_file():
                self._set_aside("it is no file")
            self._connection = _open(self._path)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _set_aside(self, why: object) -> None:
        self._log.error(
            "{path} has no accounts of ours ({why}): it is now {aside}, and accounts start at 0",
            path=str(self._path),
            why=str(why),
            aside=str(set_aside(self._path, COMPANIONS)),
        )


def _open(path: Path) -> sqlite3.Connection:
    """The file at ``path``, made where it is missing. SQLite's journal takes its mode.

    Raises ``OSError``, or one of ``SQLITE_ERRORS``: see ``_is_damage``.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )
    try:
        connection.text_factory = _decoded
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables in an empty file; see that they are right in any other."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    if (version, tables) == (0, []):
        with _transaction(connection):
            for table in TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA user_version = {VERSION}")
    elif (version, tables) != (VERSION, [(table,) for table in TABLES]):
        raise sqlite3.DatabaseError("its tables are others")
    elif connection.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]:
        raise sqlite3.DatabaseError("its content is damaged")
    elif _format(path) != PLAIN:
        raise sqlite3.DatabaseError("its format is another")
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA synchronous = FULL")


def _format(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(20)[18:]


def _read(connection: sqlite3.Connection, day: int) -> list[Entry]:
    rows = connection.execute(ENTRIES, (_fitting(day),)).fetchall()
    return [entry for row in rows if (entry := _entry(row)) is not None]


def _entry(row: tuple[Any, ...]) -> Entry | None:
    """A row as it was written; None for one that was not written so."""
    dimension, name, *numbers = row
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        return None
    try:
        return Entry(Dimension(dimension), name.decode("utf-8", "surrogatepass"), *numbers)
    except (AttributeError, ValueError):
        return None


def _write(connection: sqlite3.Connection, days: Sequence[tuple[int, Sequence[Entry]]]) -> None:
    if not days:
        return
    with _transaction(connection):
        for day, entries in days:
            _write_day(connection, _fitting(day), entries)
        for old_day in connection.execute(OLD_DAYS, (DAYS_KEPT,)).fetchall():
            connection.execute("DELETE FROM entries WHERE day = ?", old_day)
            connection.execute("DELETE FROM days WHERE day = ?", old_day)


def _write_day(connection: sqlite3.Connection, day: int, entries: Sequence[Entry]) -> None:
    connection.execute(SAVED, (day,))
    connection.executemany(
        PUT, ((day, *_key(entry), *_numbers(entry)) for entry in entries if is_spent(entry))
    )
    connection.executemany(DROP, ((day, *_key(entry)) for entry in entries if not is_spent(entry)))
    for dimension in Dimension:
        these = (day, dimension.value)
        (count,) = connection.execute(COUNT, these).fetchone()
        if count > MOST_ACCOUNTS:
            connection.execute(DROP_THE_LEAST, (*these, *these, OTHERS.encode(), MOST_ACCOUNTS))


def _key(entry: Entry) -> tuple[str, bytes]:
    return entry.dimension.value, entry.name.encode("utf-8", "surrogatepass")


def _numbers(entry: Entry) -> tuple[int, ...]:
    numbers = (entry.requests, entry.refused, entry.bytes_in, entry.bytes_out, entry.pulls)
    return numbers if max(numbers) <= MOST else tuple(map(_fitting, numbers))


def _fitting(number: int) -> int:
    return max(LEAST, min(number, MOST))


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is done within, or nothing; durable at the end."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _is_damage(error: Exception) -> bool:
    """Whether one of ``SQLITE_ERRORS`` says that the file is broken, and not the disk or the code.

    ``SQLITE_CORRUPT`` and ``SQLITE_NOTADB`` come as ``DatabaseError`` itself.
    """
    signs = ("no such ", "unsupported file format")
    return type(error) in (sqlite3.DatabaseError, UnicodeDecodeError) or any(
        sign in str(error) for sign in signs
    )


def _decoded(text: bytes) -> str:
    """A damaged text may be no UTF-8, and must come out all the same."""
    return text.decode("utf-8", "replace")
