"""An index file made anew from what is still right, and put in a damaged one's place."""

# ruff: noqa: S608 - tables and columns are constants of this package; values are parameters
from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from hubmirror.cache.files import Files
from hubmirror.cache.index_file import SQLITE_ERRORS, IndexFile, is_damage
from hubmirror.cache.rows import BATCH, TABLES, Table

__all__ = ["copy_file", "merge", "put_in_place", "set_aside"]

#: How many damaged files are kept beside the index; then the last one is replaced.
_KEPT: Final = 9

#: What SQLite keeps beside a file that is open, or was when the process died.
_COMPANIONS: Final = ("-wal", "-shm")


def merge(path: Path, sources: Iterable[IndexFile]) -> list[Path]:
    """Make the file ``path`` of the intact rows of all sources, of each the latest.

    Returns the paths of the sources in which something was damaged. The file is durable then,
    its name is not. Raises ``sqlite3.Error`` where the disk fails.
    """
    _remove(path)
    fresh = IndexFile(path)
    try:
        with fresh.transaction():
            damaged = [source.path for source in sources if not _gather(fresh, source)]
            fresh.apply([BATCH.put(())], _latest(fresh))
    finally:
        fresh.close()
    return damaged


def copy_file(source: Path, target: Path) -> None:
    """Copy a closed file, durably."""
    _remove(target)
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def put_in_place(fresh: Path, path: Path) -> None:
    """Let ``fresh`` be ``path``, whose own file is closed or gone."""
    for companion in _COMPANIONS:
        _beside(path, companion).unlink(missing_ok=True)
    fresh.replace(path)
    Files().fsync_folder(path.parent)


def set_aside(path: Path) -> Path:
    """Rename a damaged file, and what SQLite keeps beside it, for a person to look at."""
    names = [path.with_name(f"{path.name}.damaged-{number}") for number in range(1, _KEPT + 1)]
    aside = next((name for name in names if not os.path.lexists(name)), names[-1])
    _remove(aside)
    for companion in _COMPANIONS:
        if _beside(path, companion).exists():
            _beside(path, companion).rename(_beside(aside, companion))
    path.rename(aside)
    return aside


def _gather(fresh: IndexFile, source: IndexFile) -> bool:
    """Take the intact rows of ``source``; whether all were."""
    intact = [_gather_table(fresh, source, table) for table in TABLES.values()]
    return all(intact)


def _gather_table(fresh: IndexFile, source: IndexFile, table: Table[Any]) -> bool:
    is_intact = True
    try:
        for row in source.each(table):
            if table.is_intact(row):
                fresh.offer(table, row)
            else:
                is_intact = False
    except SQLITE_ERRORS as error:
        if not is_damage(error):
            raise
        return False
    return is_intact


def _latest(file: IndexFile) -> int:
    """The number of the last batch that left a row."""
    numbers = [file.query(f"SELECT max(sequence) FROM {name}")[0][0] for name in TABLES]
    return max(number or 0 for number in numbers)


def _beside(path: Path, companion: str) -> Path:
    return path.with_name(path.name + companion)


def _remove(path: Path) -> None:
    for name in (path, *(_beside(path, companion) for companion in _COMPANIONS)):
        name.unlink(missing_ok=True)
