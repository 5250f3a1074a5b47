"""The index's tables in SQLite, and the ladder from each version of them to the next.

A new file climbs the whole ladder, so there is one account of what the tables are. A step
names its columns itself: it must still be right when ``rows`` has moved on.
"""

# ruff: noqa: S608 - tables and columns are constants of this package; values are parameters
from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hubmirror.cache.rows import seal
from hubmirror.errors import HubmirrorError

__all__ = ["VERSION", "IndexTooNew", "is_as_created", "migrate", "refuse_newer"]

#: The version of the tables that this code reads and writes (``PRAGMA user_version``).
VERSION: Final = 2

#: Where SQLite keeps ``user_version``, big-endian: "Database File Format", 1.3.
_MAGIC: Final = b"SQLite format 3\0"
_VERSION_AT: Final = slice(60, 64)

_FIRST: Final = """
CREATE TABLE tags (
    registry TEXT NOT NULL, name TEXT NOT NULL, tag TEXT NOT NULL, variant TEXT NOT NULL,
    digest TEXT NOT NULL, media_type TEXT NOT NULL, checked REAL NOT NULL,
    sequence INTEGER NOT NULL, seal BLOB NOT NULL,
    PRIMARY KEY (registry, name, tag, variant)
);
CREATE INDEX tags_by_digest ON tags (digest);
CREATE TABLE links (
    registry TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT,
    sequence INTEGER NOT NULL, seal BLOB NOT NULL,
    PRIMARY KEY (registry, name, digest)
);
CREATE INDEX links_by_digest ON links (digest);
CREATE TABLE publicity (
    registry TEXT NOT NULL, name TEXT NOT NULL, is_public INTEGER NOT NULL, checked REAL NOT NULL,
    sequence INTEGER NOT NULL, seal BLOB NOT NULL,
    PRIMARY KEY (registry, name)
);
CREATE TABLE listings (
    registry TEXT NOT NULL, name TEXT NOT NULL, page TEXT NOT NULL,
    headers TEXT NOT NULL, body BLOB NOT NULL, checked REAL NOT NULL,
    sequence INTEGER NOT NULL, seal BLOB NOT NULL,
    PRIMARY KEY (registry, name, page)
);
CREATE TABLE pins (
    registry TEXT NOT NULL, name TEXT NOT NULL, reference TEXT NOT NULL,
    sequence INTEGER NOT NULL, seal BLOB NOT NULL,
    PRIMARY KEY (registry, name, reference)
);
CREATE TABLE blobs (
    digest TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL, accessed REAL NOT NULL,
    sequence INTEGER NOT NULL, seal BLOB NOT NULL
);
CREATE INDEX blobs_by_access ON blobs (accessed, digest);
CREATE TABLE batch (
    id INTEGER PRIMARY KEY, drops TEXT NOT NULL,
    sequence INTEGER NOT NULL, seal BLOB NOT NULL
);
"""


class IndexTooNew(HubmirrorError):
    """The index was written by a later hubmirror; nothing of it has been touched."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(
            f"{path} has version {version} of the index, and this hubmirror knows versions up to"
            f" {VERSION}: run the hubmirror that wrote it, or a later one; or give this one a"
            " data folder of its own"
        )


def refuse_newer(path: Path) -> None:
    """Raise ``IndexTooNew`` for a file of a later version, which is not even opened by SQLite."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        header = file.read(100)
    version = int.from_bytes(header[_VERSION_AT], "big")
    if header.startswith(_MAGIC) and version > VERSION:
        raise IndexTooNew(path, version)


def migrate(connection: sqlite3.Connection, target: int = VERSION) -> None:
    """Bring the tables to version ``target``: each step happens whole or not at all.

    A file that is newer already is left alone. Raises ``sqlite3.Error``.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for step in range(version, target):
        connection.execute("BEGIN IMMEDIATE")
        try:
            _LADDER[step](connection)
            connection.execute(f"PRAGMA user_version = {step + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def is_as_created(connection: sqlite3.Connection) -> bool:
    """Whether the tables are those of a new file: a byte may have changed in their text, too."""
    new = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(new)
        return _tables(connection) == _tables(new)
    finally:
        new.close()


def _tables(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
    ).fetchall()


def _create(connection: sqlite3.Connection) -> None:
    for statement in _FIRST.split(";"):
        connection.execute(statement)


def _tags_know_deletion(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE tags ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0")
    old = ("registry", "name", "tag", "variant", "digest", "media_type", "checked")
    _seal_anew(connection, "tags", old, (*old, "deleted"))


def _seal_anew(
    connection: sqlite3.Connection, table: str, old: tuple[str, ...], new: tuple[str, ...]
) -> None:
    """Seal the rows whose old seal is right; a damaged row stays what it is, and is found."""
    columns = ", ".join((*new, "rowid", "sequence", "seal"))
    for row in connection.execute(f"SELECT {columns} FROM {table}").fetchall():
        *values, rowid, sequence, found = row
        if found == seal(table, values[: len(old)], sequence):
            connection.execute(
                f"UPDATE {table} SET seal = ? WHERE rowid = ?",
                (seal(table, values, sequence), rowid),
            )


#: The step at N leads from version N to version N + 1.
_LADDER: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (_create, _tags_know_deletion)
