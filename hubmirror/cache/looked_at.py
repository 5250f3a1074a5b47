"""The index as it is looked at by who does not write it: its first file, read only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from hubmirror.cache.index_file import IndexFile
from hubmirror.cache.rows import Row, Table, Where
from hubmirror.cache.twin_files import FILE_NAMES

__all__ = ["LookedAtFile"]

T = TypeVar("T")


class LookedAtFile:
    """Reads what another process writes, row by row as it is there; a damaged row is none.

    The file may be missing, and may be put in place anew: it is opened when it is read. All of
    this blocks, and belongs to the thread that calls. Raises ``sqlite3.Error``.
    """

    #: There is nothing to write at the end.
    is_open = False

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAMES[0]
        self._file: IndexFile | None = None
        self._inode = 0

    def open(self) -> None:
        """Nothing yet: see the class."""

    def close(self) -> None:
        """Close what is open."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of any SELECT."""
        return self._current().query(sql, parameters)

    def select(self, table: Table[T], where: Where | None = None, tail: str = "") -> list[T]:
        """Records in the order of their key, unless ``tail`` (SQL) says another."""
        rows = self._current().rows(table, where or {}, tail)
        return [table.record(row) for row in rows if table.is_intact(row)]

    def write(self, plans: Sequence[Callable[[IndexFile], object]]) -> None:  # noqa: ARG002
        """Raises: who looks does not write."""
        raise sqlite3.OperationalError("the index is another process's to write")

    def _current(self) -> IndexFile:
        try:
            inode = self._path.stat().st_ino
        except OSError as error:
            raise sqlite3.OperationalError(f"{self._path}: {error.strerror}") from error
        if self._file is None or inode != self._inode:
            self.close()
            self._file, self._inode = IndexFile.looked_at(self._path), inode
        return self._file
