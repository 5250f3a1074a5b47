"""One SQLite file of the index. All of it blocks, and belongs to the thread that opened it."""

# ruff: noqa: S608 - tables and columns are constants of this package; values are parameters
from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from hubmirror.cache.rows import BATCH, TABLES, Change, Drop, Put, Row, Table, Where
from hubmirror.cache.schema import is_as_created, migrate

__all__ = ["SQLITE_ERRORS", "IndexFile", "is_damage"]

T = TypeVar("T")


#: What SQLite's module raises; it fails to decode its own message about a damaged name, too.
SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)


def is_damage(error: Exception) -> bool:
    """Whether one of ``SQLITE_ERRORS`` says that the file is broken, and not the disk or the code.

    ``SQLITE_CORRUPT`` and ``SQLITE_NOTADB`` come as ``DatabaseError`` itself; a broken schema
    or version shows in tables that are not as they should be.
    """
    signs = ("no such ", "already exists", "duplicate column", "unsupported file format")
    return type(error) in (sqlite3.DatabaseError, UnicodeDecodeError) or any(
        sign in str(error) for sign in signs
    )


class IndexFile:
    """A file with the index's tables, made or migrated when it is opened.

    Raises ``sqlite3.Error``: see ``is_damage``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        wal = path.with_name(f"{path.name}-wal")
        #: SQLite takes the log away when the file is closed.
        self._was_closed = not wal.exists()
        self._connection = sqlite3.connect(path, isolation_level=None)
        # A damaged text may be no UTF-8: it must come out all the same, for its seal to fail.
        self._connection.text_factory = _decoded
        try:
            self._set_up()
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def looked_at(cls, path: Path) -> IndexFile:
        """The file as it is, of whatever version, only to be read; another process writes it."""
        file = cls.__new__(cls)
        file.path, file._was_closed = path, True
        file._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None
        )
        file._connection.text_factory = _decoded
        return file

    def is_sound(self) -> bool:
        """Whether the file may be worked with.

        SQLite looks at the whole of it only if it was not closed: rows are checked when they
        are read, anyway.
        """
        try:
            if not self._was_closed and self.query("PRAGMA quick_check(1)") != [("ok",)]:
                return False
            return is_as_created(self._connection) and self.number() is not None
        except SQLITE_ERRORS as error:
            if is_damage(error):
                return False
            raise

    def number(self) -> int | None:
        """The last batch's number: 0 before the first, None if its row is damaged or gone."""
        stored = self.rows(BATCH)
        if len(stored) == 1 and BATCH.is_intact(stored[0]):
            return int(stored[0][-2])
        return None

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of any SELECT."""
        return self._connection.execute(sql, parameters).fetchall()

    def rows(self, table: Table[Any], where: Where | None = None, tail: str = "") -> list[Row]:
        """Stored rows, right or not, in the order of their key unless ``tail`` says another."""
        return self.query(*_select(table, where or {}, tail))

    def records(self, table: Table[T], where: Where) -> list[T]:
        """The records of the intact rows among ``rows``."""
        return [table.record(row) for row in self.rows(table, where) if table.is_intact(row)]

    def each(self, table: Table[Any]) -> Iterator[Row]:
        """All stored rows, one by one."""
        yield from self._connection.execute(f"SELECT {', '.join(table.columns)} FROM {table.name}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done within, or nothing; durable at the end."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            raise

    def apply(self, changes: Iterable[Change], number: int) -> None:
        """Make changes within a transaction, as part of the batch ``number``."""
        for change in changes:
            if isinstance(change, Put):
                table = TABLES[change.table]
                self.store(table, table.sealed(change.row, number))
            else:
                self._drop(change)

    def store(self, table: Table[Any], stored: Row) -> None:
        """Write a row as it is, over the one with its key."""
        self._connection.execute(_upsert(table), stored)

    def offer(self, table: Table[Any], stored: Row) -> None:
        """Write a row as it is, unless a later one with its key is there."""
        self._connection.execute(
            f"{_upsert(table)} WHERE excluded.sequence > {table.name}.sequence", stored
        )

    def catch_up(self, ahead: IndexFile) -> None:
        """Do what the other file's last batch did, the one that is missing here."""
        (batch,) = ahead.rows(BATCH)
        number = int(batch[-2])
        with self.transaction():
            self.apply(BATCH.record(batch), number)
            for table in TABLES.values():
                for row in ahead.rows(table, tail=f"WHERE sequence = {number}"):
                    if table.is_intact(row):
                        self.store(table, row)

    def close(self) -> None:
        """Bring everything into the one file, and close it."""
        self._connection.close()

    def _drop(self, drop: Drop) -> None:
        table = TABLES[drop.table]
        condition = " AND ".join(f"{column} = ?" for column in drop.where)
        self._connection.execute(
            f"DELETE FROM {table.name} WHERE {condition}", tuple(drop.where.values())
        )

    def _set_up(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        if not _is_writable(self.path):
            raise sqlite3.DatabaseError(f"{self.path} can't be written through a log")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA cell_size_check = ON")
        migrate(self._connection)


def _is_writable(path: Path) -> bool:
    """Whether the header has WAL's versions; SQLite opens others, too, but only for reading.

    Source: SQLite, "Database File Format", 1.3.3.
    """
    with path.open("rb") as file:
        return file.read(20)[18:] == b"\2\2"


def _select(table: Table[Any], where: Where, tail: str) -> tuple[str, tuple[str, ...]]:
    condition = " AND ".join(f"{column} = ?" for column in where)
    ending = tail or f"{condition and 'WHERE'} {condition} ORDER BY {', '.join(table.key)}"
    return f"SELECT {', '.join(table.columns)} FROM {table.name} {ending}", (*where.values(),)


def _upsert(table: Table[Any]) -> str:
    rest = ", ".join(f"{name} = excluded.{name}" for name in (*table.values, "sequence", "seal"))
    return (
        f"INSERT INTO {table.name} ({', '.join(table.columns)})"
        f" VALUES ({', '.join('?' * len(table.columns))})"
        f" ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {rest}"
    )


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")
