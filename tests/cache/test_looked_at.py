"""The index as another process sees it, which only reads."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.python.threadpool import ThreadPool

from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.index import SQLiteIndex
from hubmirror.cache.interfaces import BlobRow, Publicity
from hubmirror.cache.looked_at import LookedAtFile
from hubmirror.cache.rows import BLOBS, LINKS, LISTINGS, PINS, PUBLICITY, TAGS
from hubmirror.cache.twin_files import FILE_NAMES
from tests.cache.indexes import (
    BUSYBOX,
    NOW,
    contents,
    digest,
    one_of_each,
    opened_files,
    opened_index,
    tag_entry,
    write,
)

TABLES: list[Any] = [TAGS, LINKS, PUBLICITY, LISTINGS, PINS, BLOBS]


@pytest.fixture
def looked_at(tmp_path: Path) -> Iterator[LookedAtFile]:
    """The index in the test's folder, which may not be there yet."""
    file = LookedAtFile(tmp_path)
    file.open()
    yield file
    file.close()


@asynccontextmanager
async def looking(reactor: Any, folder: Path) -> AsyncIterator[SQLiteIndex]:
    """As a worker has it."""
    pool = ThreadPool(1, 1)
    pool.start()
    index = SQLiteIndex(reactor, pool, folder, lambda: NOW, LookedAtFile)
    try:
        await index.open()
        yield index
    finally:
        try:
            await index.close()
        finally:
            pool.stop()


def test_reads_what_is_written_at_once(tmp_path: Path, looked_at: LookedAtFile) -> None:
    """Row by row, before and after each commit."""
    with opened_files(tmp_path) as files:
        assert looked_at.select(TAGS) == []
        for number in range(5):
            write(files, TAGS.put(tag_entry("latest", f"{number}")))
            assert looked_at.select(TAGS) == [tag_entry("latest", f"{number}")]
        write(files, *one_of_each())
        assert [looked_at.select(table) for table in TABLES] == list(contents(files).values())


def test_a_file_that_is_missing_is_an_error(tmp_path: Path, looked_at: LookedAtFile) -> None:
    """Until it is there; it is not made by who looks."""
    with pytest.raises(sqlite3.Error):
        looked_at.select(TAGS)
    with pytest.raises(sqlite3.Error):
        looked_at.query("SELECT 1")
    assert list(tmp_path.iterdir()) == []
    with opened_files(tmp_path) as files:
        write(files, TAGS.put(tag_entry("latest", "one")))
        assert looked_at.select(TAGS) == [tag_entry("latest", "one")]


def test_a_file_that_is_put_in_place_anew_is_the_new_one(
    tmp_path: Path, looked_at: LookedAtFile
) -> None:
    """As it is where a damaged one is mended: nobody goes on with what was set aside."""
    with opened_files(tmp_path) as files:
        write(files, TAGS.put(tag_entry("latest", "old")))
    assert looked_at.select(TAGS) == [tag_entry("latest", "old")]
    for name in FILE_NAMES:
        (tmp_path / name).rename(tmp_path / f"{name}.aside")
    with opened_files(tmp_path) as files:
        write(files, TAGS.put(tag_entry("latest", "new")))
        assert looked_at.select(TAGS) == [tag_entry("latest", "new")]


def test_a_damaged_row_is_none(tmp_path: Path, looked_at: LookedAtFile) -> None:
    """Its seal fails: the others are there, and whoever writes the file mends it."""
    with opened_files(tmp_path) as files:
        write(files, TAGS.put(tag_entry("bad", "one")), TAGS.put(tag_entry("good", "two")))
    path = tmp_path / FILE_NAMES[0]
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE tags SET digest = ? WHERE tag = 'bad'", (str(digest("three")),))
    connection.close()
    assert looked_at.select(TAGS) == [tag_entry("good", "two")]


def test_writes_nothing(tmp_path: Path, looked_at: LookedAtFile) -> None:
    """By no way."""
    with opened_files(tmp_path) as files:
        write(files, TAGS.put(tag_entry("latest", "one")))
        with pytest.raises(sqlite3.Error):
            looked_at.write([lambda _: [TAGS.put(tag_entry("latest", "two"))]])
        with pytest.raises(sqlite3.Error):
            looked_at.query("DELETE FROM tags")
        assert looked_at.select(TAGS) == files.select(TAGS) == [tag_entry("latest", "one")]


def test_may_be_closed_and_used_again(tmp_path: Path, looked_at: LookedAtFile) -> None:
    """Twice, too; the next look opens it."""
    with opened_files(tmp_path) as files:
        write(files, TAGS.put(tag_entry("latest", "one")))
        for _ in range(2):
            assert looked_at.select(TAGS) == [tag_entry("latest", "one")]
            looked_at.close()
            looked_at.close()


@ensureDeferred
async def test_an_index_over_it_reads_what_another_writes(reactor: Any, tmp_path: Path) -> None:
    """At once."""
    async with opened_index(reactor, tmp_path) as index, looking(reactor, tmp_path) as looker:
        assert await looker.tag(BUSYBOX, "latest") == ()
        await index.put_tag(tag_entry("latest", "one"))
        assert await looker.tag(BUSYBOX, "latest") == (tag_entry("latest", "one"),)
        await index.put_publicity(BUSYBOX, Publicity(True, NOW))
        assert await looker.publicity(BUSYBOX) == Publicity(True, NOW)
        await index.drop_tag(BUSYBOX, "latest")
        assert await looker.tag(BUSYBOX, "latest") == ()


@ensureDeferred
async def test_an_index_over_it_does_not_write(reactor: Any, tmp_path: Path) -> None:
    """It fails as where the disk does, and nothing has changed."""
    async with opened_index(reactor, tmp_path) as index, looking(reactor, tmp_path) as looker:
        with pytest.raises(StoreFailed):
            await looker.put_tag(tag_entry("latest", "one"))
        assert await index.tag(BUSYBOX, "latest") == ()
        assert await looker.tag(BUSYBOX, "latest") == ()


@ensureDeferred
async def test_an_index_that_is_not_there_fails(reactor: Any, tmp_path: Path) -> None:
    """Until it is."""
    async with looking(reactor, tmp_path) as looker:
        with pytest.raises(StoreFailed):
            await looker.tag(BUSYBOX, "latest")
        async with opened_index(reactor, tmp_path) as index:
            await index.put_tag(tag_entry("latest", "one"))
            assert await looker.tag(BUSYBOX, "latest") == (tag_entry("latest", "one"),)


@ensureDeferred
async def test_what_is_touched_is_for_who_writes(reactor: Any, tmp_path: Path) -> None:
    """The latest time of each, once; closing brings nothing to the disk."""
    one, two = digest("one"), digest("two")
    async with opened_index(reactor, tmp_path) as index:
        await index.put_blob(BlobRow(one, 3, NOW))
        async with looking(reactor, tmp_path) as looker:
            await looker.touch([one, two], NOW + 5)
            await looker.touch([one], NOW + 9)
            await looker.touch([one], NOW + 7)
            assert looker.take_touched() == {one: NOW + 9, two: NOW + 5}
            assert looker.take_touched() == {}
            await looker.touch([one], NOW + 20)
        row = await index.blob(one)
        assert row is not None
        assert row.accessed == NOW
