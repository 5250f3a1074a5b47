"""The ladder of versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from hubmirror.cache.rows import TABLES, TAGS, seal
from hubmirror.cache.schema import VERSION, IndexTooNew, is_as_created, migrate, refuse_newer
from tests.cache.indexes import (
    change_text,
    digest,
    opened_files,
    paths_in,
    tag_entry,
    write,
)

V1_COLUMNS = "registry, name, tag, variant, digest, media_type, checked, sequence, seal"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A database in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def version_of(connection: sqlite3.Connection) -> int:
    """The tables' version."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def write_version_1(path: Path) -> None:
    """A file as the first version left it, with two tags."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection, 1)
    for tag in ("latest", "1.36"):
        row = TAGS.put(tag_entry(tag, tag)).row[:-1]
        connection.execute(
            f"INSERT INTO tags ({V1_COLUMNS}) VALUES ({', '.join('?' * 9)})",  # noqa: S608
            (*row, 1, seal("tags", row, 1)),
        )
    batch = (1, "[]")
    connection.execute(
        "INSERT INTO batch VALUES (?, ?, ?, ?)", (*batch, 1, seal("batch", batch, 1))
    )
    connection.close()


def test_a_new_file_has_all_tables(connection: sqlite3.Connection) -> None:
    """With the columns that rows have."""
    migrate(connection)
    assert version_of(connection) == VERSION
    assert is_as_created(connection)
    for table in TABLES.values():
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
        assert columns == set(table.columns)


def test_the_ladder_is_climbed_once(connection: sqlite3.Connection) -> None:
    """Again is nothing; a version at a time is the same."""
    for version in range(1, VERSION + 1):
        migrate(connection, version)
        migrate(connection, version)
        assert version_of(connection) == version
    assert is_as_created(connection)


def test_other_tables_are_noticed(connection: sqlite3.Connection) -> None:
    """An index that is gone, say."""
    migrate(connection)
    connection.execute("DROP INDEX links_by_digest")
    assert not is_as_created(connection)


def test_a_step_that_fails_leaves_the_version_before(connection: sqlite3.Connection) -> None:
    """Whole or not at all."""
    migrate(connection, 1)
    connection.execute("DROP TABLE tags")
    connection.execute("CREATE VIEW tags AS SELECT 1")
    with pytest.raises(sqlite3.Error):
        migrate(connection)
    assert version_of(connection) == 1
    assert not connection.in_transaction


def test_tags_of_version_1_are_there(tmp_path: Path) -> None:
    """None of them was known to be deleted; deletion can be written now."""
    for path in paths_in(tmp_path):
        write_version_1(path)
    with opened_files(tmp_path) as files:
        assert set(files.select(TAGS)) == {tag_entry("latest", "latest"), tag_entry("1.36", "1.36")}
        deleted = evolve(tag_entry("latest", "latest"), deleted=True)
        write(files, TAGS.put(deleted))
        assert deleted in files.select(TAGS)
    assert not list(tmp_path.glob("*.damaged-*"))


@pytest.mark.parametrize("which", [0, 1], ids=["first", "copy"])
def test_a_migration_that_was_cut_short_goes_on(tmp_path: Path, which: int) -> None:
    """One file has the new version already."""
    for path in paths_in(tmp_path):
        write_version_1(path)
    connection = sqlite3.connect(paths_in(tmp_path)[which], isolation_level=None)
    migrate(connection)
    connection.close()
    with opened_files(tmp_path) as files:
        assert len(files.select(TAGS)) == 2
    assert not list(tmp_path.glob("*.damaged-*"))


def test_a_migration_does_not_bless_damage(tmp_path: Path) -> None:
    """A row that was damaged in version 1 is damaged in version 2, and mended from the copy."""
    first, copy = paths_in(tmp_path)
    for path in (first, copy):
        write_version_1(path)
    change_text(first, "latest")
    change_text(first, str(digest("1.36")))
    change_text(copy, str(digest("1.36")))
    with opened_files(tmp_path) as files:
        assert files.select(TAGS) == [tag_entry("latest", "latest")]


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    """Its own, an older one, and what is no index at all pass."""
    path = tmp_path / "index.sqlite"
    refuse_newer(path)
    write_version_1(path)
    refuse_newer(path)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(IndexTooNew, match=f"version {VERSION + 1} .* up to {VERSION}: run"):
        refuse_newer(path)
    path.write_bytes(b"\xff" * 200)
    refuse_newer(path)
