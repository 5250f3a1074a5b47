"""The index in two files that say the same: what is damaged in one is right in the other.

Each batch of changes has a number, is committed to the first file, then to the second, and is
acknowledged after that. So a file lags one batch behind the other at most, and only if the
process died in between; it catches up when the index is opened.

All of this blocks, and belongs to the thread that calls ``open``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from twisted.logger import Logger

from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.index_file import SQLITE_ERRORS, IndexFile, is_damage
from hubmirror.cache.mending import copy_file, merge, put_in_place, set_aside
from hubmirror.cache.rows import BATCH, Change, Drop, Row, Table, Where
from hubmirror.cache.schema import refuse_newer

__all__ = ["FILE_NAMES", "Plan", "TwinFiles"]

T = TypeVar("T")

#: The two files, in the order in which they are written.
FILE_NAMES: Final = ("index.sqlite", "index-copy.sqlite")

_MISSING: Final = "was missing"
_DAMAGED: Final = "was damaged"

#: Says what to change, from what the first file holds after the changes before it.
Plan = Callable[[IndexFile], Sequence[Change]]


class TwinFiles:
    """Reads compare both files; writes go to both."""

    _log = Logger()

    def __init__(self, folder: Path) -> None:
        self._paths = tuple(folder / name for name in FILE_NAMES)
        self._files: list[IndexFile] = []
        self._number = 0
        self._is_level = False

    def open(self) -> None:
        """Open both, make what is missing, mend what is damaged.

        Raises ``IndexTooNew``, before anything is touched, and ``sqlite3.Error`` or ``OSError``
        where the disk fails.
        """
        for path in self._paths:
            refuse_newer(path)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of any SELECT, on which both files agree."""
        return self._guarded(lambda: self._query(sql, parameters))

    def select(self, table: Table[T], where: Where | None = None, tail: str = "") -> list[T]:
        """Records in the order of their key, unless ``tail`` (SQL) says another."""
        return self._guarded(lambda: self._select(table, where or {}, tail))

    def write(self, plans: Sequence[Plan]) -> None:
        """Carry out all plans in one batch, durable in both files. Raises ``sqlite3.Error``."""
        self._guarded(lambda: self._write(plans))

    @property
    def is_open(self) -> bool:
        """Whether ``open`` has come to its end, and ``close`` not."""
        return bool(self._files)

    @property
    def number(self) -> int:
        """The last batch's number."""
        return self._number

    def close(self) -> None:
        """Close both."""
        files, self._files = self._files, []
        self._is_level = False
        for file in files:
            file.close()

    def _open(self) -> None:
        troubles = {path: trouble for path in self._paths if (trouble := self._try(path))}
        if troubles:
            self._mend(troubles)
        else:
            self._guarded(self._level)

    def _try(self, path: Path) -> str | None:
        """Open one file if it can be opened, and tell what is wrong with it."""
        if not path.exists():
            return _MISSING
        try:
            file = IndexFile(path)
        except SQLITE_ERRORS as error:
            if is_damage(error):
                return _DAMAGED
            raise
        self._files.append(file)
        return None if file.is_sound() else _DAMAGED

    def _query(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        return self._agreed(lambda file: file.query(sql, parameters), lambda _: True)

    def _select(self, table: Table[T], where: Where, tail: str) -> list[T]:
        rows = self._agreed(lambda file: file.rows(table, where, tail), table.is_intact)
        return [table.record(row) for row in rows]

    def _agreed(
        self, read: Callable[[IndexFile], list[Row]], is_right: Callable[[Row], bool]
    ) -> list[Row]:
        """What both files say, mended first if they differ or a row is not right."""
        first, second = self._files
        rows = read(first)
        if all(map(is_right, rows)) and (not self._is_level or rows == read(second)):
            return rows
        self._mend({})
        return read(self._files[0])

    def _write(self, plans: Sequence[Plan]) -> None:
        self._level()
        first, second = self._files
        number = self._number + 1
        with first.transaction():
            changes = _carry_out(plans, first, number)
            self._is_level = not changes
        if changes:
            with second.transaction():
                second.apply(changes, number)
            self._number, self._is_level = number, True

    def _level(self) -> None:
        """Bring the file that lags behind up to the other."""
        if self._is_level:
            return
        numbers = [file.number() for file in self._files]
        numbered = [
            (n, file) for n, file in zip(numbers, self._files, strict=True) if n is not None
        ]
        if len(numbered) < len(numbers):
            self._mend({})
            return
        (low, behind), (high, ahead) = sorted(numbered, key=lambda pair: pair[0])
        if high - low > 1:  # a file from another time has been put here
            self._mend({behind.path: "was out of date"}, [ahead])
            return
        if high > low:
            behind.catch_up(ahead)
        self._number, self._is_level = high, True

    def _guarded(self, work: Callable[[], T]) -> T:
        """Do ``work``, and once more after mending if SQLite finds a file damaged."""
        if not self._files:
            raise StoreFailed("the index is not open")
        try:
            return work()
        except SQLITE_ERRORS as error:
            if not is_damage(error):
                raise
        self._mend({})
        return work()

    def _mend(
        self, troubles: Mapping[Path, str], sources: Sequence[IndexFile] | None = None
    ) -> None:
        """Make both files anew from what is intact in either; the damaged ones are set aside.

        Whenever that is cut short, one whole file is there.
        """
        fresh = [path.with_suffix(".new") for path in self._paths]
        damaged = merge(fresh[0], self._files if sources is None else sources)
        copy_file(fresh[0], fresh[1])
        self.close()
        found = {**dict.fromkeys(damaged, _DAMAGED), **troubles}
        for path, new in zip(self._paths, fresh, strict=True):
            if found.get(path) == _DAMAGED:
                found[path] += f", and is now {set_aside(path).name}"
            put_in_place(new, path)
        self._files = [IndexFile(path) for path in self._paths]
        self._number, self._is_level = self._files[0].number() or 0, True
        self._tell(found)

    def _tell(self, found: Mapping[Path, str]) -> None:
        if all(trouble == _MISSING for trouble in found.values()) and len(found) > 1:
            return  # there is no index yet
        what = "; ".join(f"{path} {trouble}" for path, trouble in found.items())
        self._log.error(
            "the index has been made anew from what is intact in its two files: {trouble}",
            trouble=what or "they were not the same",
        )


def _carry_out(plans: Sequence[Plan], first: IndexFile, number: int) -> list[Change]:
    """Make the changes of all plans in the first file; returns them, as the other needs them."""
    changes: list[Change] = []
    for plan in plans:
        planned = plan(first)
        first.apply(planned, number)
        changes.extend(planned)
    if changes:
        batch = BATCH.put(tuple(change for change in changes if isinstance(change, Drop)))
        first.apply([batch], number)
        changes.append(batch)
    return changes
