"""One file of the index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from hubmirror.cache.index_file import IndexFile, is_damage
from hubmirror.cache.rows import BATCH, BLOBS, LINKS, TAGS, Drop
from tests.cache.indexes import BUSYBOX, MANIFEST, change_text, digest, one_of_each, tag_entry


@pytest.fixture
def file(tmp_path: Path) -> Iterator[IndexFile]:
    """A new file."""
    file = IndexFile(tmp_path / "index.sqlite")
    yield file
    file.close()


def batch(file: IndexFile, number: int, *drops: Drop) -> None:
    """Write the row of a batch."""
    with file.transaction():
        file.apply([BATCH.put(drops)], number)


def test_is_durable_by_every_commit(file: IndexFile) -> None:
    """WAL, and an fsync a commit."""
    assert file.query("PRAGMA journal_mode") == [("wal",)]
    assert file.query("PRAGMA synchronous") == [(2,)]


def test_puts_and_drops(file: IndexFile) -> None:
    """A later row replaces the one with its key; a drop takes all that match."""
    with file.transaction():
        file.apply(one_of_each(), 1)
        file.apply([TAGS.put(tag_entry("latest", "two"))], 2)
    assert file.records(TAGS, {"tag": "latest"}) == [tag_entry("latest", "two")]
    with file.transaction():
        file.apply([Drop(TAGS.name, {"registry": BUSYBOX.registry, "tag": "latest"})], 3)
    assert file.rows(TAGS) == []
    assert len(file.rows(LINKS)) == 1


def test_a_transaction_that_fails_is_none(file: IndexFile) -> None:
    """And the next one works."""
    unknown = Drop(TAGS.name, {"colour": "red"})
    with pytest.raises(sqlite3.OperationalError), file.transaction():
        file.apply([*one_of_each(), unknown], 1)
    assert file.rows(TAGS) == []
    with file.transaction():
        file.apply(one_of_each(), 1)
    assert len(file.rows(TAGS)) == 1


def test_an_offer_replaces_what_is_older(file: IndexFile) -> None:
    """In whatever order rows are offered, the latest stays."""
    rows = {n: TAGS.sealed(TAGS.put(tag_entry("latest", str(n))).row, n) for n in (1, 2, 3)}
    with file.transaction():
        for number in (2, 3, 1):
            file.offer(TAGS, rows[number])
    assert file.rows(TAGS) == [rows[3]]


def test_the_number_is_the_last_batchs(file: IndexFile) -> None:
    """None where its row is gone: the file is not sound then."""
    assert file.number() is None
    assert not file.is_sound()
    batch(file, 41)
    batch(file, 42)
    assert file.number() == 42
    assert file.is_sound()


def test_catches_up_by_one_batch(file: IndexFile, tmp_path: Path) -> None:
    """Drops first, then what the batch put; rows of other batches are left alone."""
    behind = IndexFile(tmp_path / "index-copy.sqlite")
    for each in (file, behind):
        with each.transaction():
            each.apply(one_of_each(), 1)
        batch(each, 1)
    drops = (Drop(TAGS.name, {"tag": "latest"}), Drop(LINKS.name, {"digest": str(digest("one"))}))
    put = TAGS.put(evolve(tag_entry("latest", "two"), variant="list"))
    with file.transaction():
        file.apply([*drops, put, BATCH.put(drops)], 2)
    behind.catch_up(file)
    for table in (TAGS, LINKS, BLOBS, BATCH):
        assert behind.rows(table) == file.rows(table)
    assert behind.number() == 2
    behind.close()


def test_records_are_of_intact_rows(tmp_path: Path) -> None:
    """A damaged one is none, even if it is no text any more."""
    path = tmp_path / "index.sqlite"
    file = IndexFile(path)
    with file.transaction():
        file.apply([TAGS.put(tag_entry(tag, tag)) for tag in ("latest", "1.36")], 1)
    file.close()
    change_text(path, str(digest("1.36")))
    file = IndexFile(path)
    assert len(file.rows(TAGS)) == 2
    assert file.records(TAGS, {}) == [tag_entry("latest", "latest")]
    file.close()


def test_looks_at_all_of_a_file_that_was_not_closed(file: IndexFile, tmp_path: Path) -> None:
    """Pages that no longer fit together are found when it is opened."""
    with file.transaction():
        file.apply([*one_of_each(), BATCH.put(())], 1)
    file.query("PRAGMA wal_checkpoint(TRUNCATE)")
    left = tmp_path / "left.sqlite"
    data = bytearray(file.path.read_bytes())
    page = data.index(MANIFEST.encode()) // 4096 * 4096
    data[page + 3 : page + 5] = b"\xff\xff"
    left.write_bytes(data)
    left.with_name("left.sqlite-wal").write_bytes(b"")
    damaged = IndexFile(left)
    assert not damaged.is_sound()
    damaged.close()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (sqlite3.DatabaseError("database disk image is malformed"), True),
        (sqlite3.DatabaseError("file is not a database"), True),
        (sqlite3.OperationalError("no such column: tag"), True),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), True),
        (sqlite3.OperationalError("database or disk is full"), False),
        (sqlite3.OperationalError("disk I/O error"), False),
        (sqlite3.OperationalError("database is locked"), False),
        (sqlite3.IntegrityError("NOT NULL constraint failed"), False),
    ],
)
def test_damage_is_told_from_trouble(error: Exception, expected: bool) -> None:
    """A full or locked disk is no reason to make the file anew."""
    assert is_damage(error) == expected
