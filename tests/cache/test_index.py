"""What any index does, and what the one in SQLite adds."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet.defer import CancelledError, gatherResults
from zope.interface.verify import verifyObject

from hubmirror.cache.errors import StoreFailed, StoreFull
from hubmirror.cache.index import SQLiteIndex
from hubmirror.cache.interfaces import BlobRow, IIndex, Link, Listing, Publicity, TagEntry
from hubmirror.cache.schema import IndexTooNew
from hubmirror.naming import Digest, Repository
from tests.cache.indexes import (
    ALPINE,
    BUSYBOX,
    ELSEWHERE,
    MANIFEST,
    NOW,
    change_text,
    digest,
    opened_index,
    tag_entry,
)


class IndexContract:
    """What any ``IIndex`` does; a subclass has a fixture that makes an empty one."""

    @pytest.fixture
    def index(self) -> Iterator[Any]:
        """An empty index."""
        raise NotImplementedError

    def test_provides_the_interface(self, index: Any) -> None:
        """Names and signatures are those of ``IIndex``."""
        assert verifyObject(IIndex, index)

    @pytest_twisted.ensureDeferred
    async def test_knows_nothing_at_first(self, index: Any) -> None:
        """Absence is None or nothing, never an error."""
        assert (await index.tag(BUSYBOX, "latest")) == ()
        assert (await index.link(BUSYBOX, digest("one"))) is None
        assert (await index.publicity(BUSYBOX)) is None
        assert (await index.listing(BUSYBOX, "")) is None
        assert (await index.blob(digest("one"))) is None
        assert (await index.pins()) == ()
        assert (await index.repositories()) == ()
        assert (await index.tags(BUSYBOX)) == ()
        assert (await index.links(BUSYBOX)) == ()
        assert (await index.linked_from(digest("one"))) == ()
        assert (await index.least_recent(10)) == ()
        assert (await index.total()) == (0, 0)

    @pytest_twisted.ensureDeferred
    async def test_forgets_what_is_not_there(self, index: Any) -> None:
        """To drop twice is to drop once."""
        await index.drop_tag(BUSYBOX, "latest")
        await index.drop_link(BUSYBOX, digest("one"))
        await index.drop_blob(digest("one"))
        await index.pin(BUSYBOX, "latest", False)
        assert (await index.repositories()) == ()

    @pytest.mark.parametrize(
        "entry",
        [
            tag_entry("latest", "one"),
            evolve(tag_entry("latest", "one"), deleted=True),
            evolve(tag_entry("latest", "one"), checked=0.1 + 0.2),
            evolve(tag_entry("latest", "one"), digest=Digest("sha512", "0f" * 64)),
            evolve(tag_entry("latest", "one"), variant="é\0'\";--", media_type=""),
        ],
    )
    @pytest_twisted.ensureDeferred
    async def test_a_tag_comes_back_as_it_was(self, index: Any, entry: TagEntry) -> None:
        """Every field, with every kind of value."""
        await index.put_tag(entry)
        assert (await index.tag(BUSYBOX, "latest")) == (entry,)

    @pytest_twisted.ensureDeferred
    async def test_a_tag_has_an_entry_a_variant(self, index: Any) -> None:
        """One is replaced, the others stay; all go together."""
        old, new = tag_entry("latest", "old"), tag_entry("latest", "new")
        other = tag_entry("latest", "list", variant="list")
        for entry in (old, other, new, tag_entry("1.36", "old")):
            await index.put_tag(entry)
        assert set(await index.tag(BUSYBOX, "latest")) == {new, other}
        assert len(await index.tags(BUSYBOX)) == 3
        await index.drop_tag(BUSYBOX, "latest")
        assert (await index.tags(BUSYBOX)) == (tag_entry("1.36", "old"),)

    @pytest_twisted.ensureDeferred
    async def test_registries_are_apart(self, index: Any) -> None:
        """The same name in another registry is another repository."""
        await index.put_tag(tag_entry("latest", "one"))
        await index.put_link(Link(BUSYBOX, digest("one"), MANIFEST))
        await index.put_publicity(BUSYBOX, Publicity(True, NOW))
        assert (await index.tag(ELSEWHERE, "latest")) == ()
        assert (await index.link(ELSEWHERE, digest("one"))) is None
        assert (await index.publicity(ELSEWHERE)) is None

    @pytest_twisted.ensureDeferred
    async def test_links(self, index: Any) -> None:
        """By repository and by digest; a manifest's has its media type, a blob's none."""
        manifest, blob = Link(BUSYBOX, digest("m"), MANIFEST), Link(BUSYBOX, digest("b"), None)
        other = Link(ALPINE, digest("b"), None)
        for link in (manifest, blob, other):
            await index.put_link(link)
        assert (await index.link(BUSYBOX, digest("m"))) == manifest
        assert set(await index.links(BUSYBOX)) == {manifest, blob}
        assert set(await index.linked_from(digest("b"))) == {BUSYBOX, ALPINE}
        await index.drop_link(BUSYBOX, digest("b"))
        assert (await index.linked_from(digest("b"))) == (ALPINE,)

    @pytest_twisted.ensureDeferred
    async def test_publicity_is_replaced(self, index: Any) -> None:
        """The latest word holds."""
        await index.put_publicity(BUSYBOX, Publicity(True, NOW))
        await index.put_publicity(BUSYBOX, Publicity(False, NOW + 1))
        assert (await index.publicity(BUSYBOX)) == Publicity(False, NOW + 1)

    @pytest_twisted.ensureDeferred
    async def test_listings(self, index: Any) -> None:
        """Headers in their order, names that recur too; any bytes as the body."""
        headers = (("Link", "<a>"), ("X", "é"), ("Link", "<b>"))
        page = Listing(BUSYBOX, "n=2&last=a", headers, bytes(range(256)), NOW)
        await index.put_listing(page)
        await index.put_listing(evolve(page, key=""))
        assert (await index.listing(BUSYBOX, "n=2&last=a")) == page
        assert (await index.listing(ALPINE, "")) is None

    @pytest_twisted.ensureDeferred
    async def test_pins(self, index: Any) -> None:
        """A tag, a digest, all of a repository; pinned twice is pinned."""
        for reference in ("latest", "latest", "*", str(digest("one"))):
            await index.pin(BUSYBOX, reference, True)
        await index.pin(BUSYBOX, "latest", False)
        assert set(await index.pins()) == {(BUSYBOX, "*"), (BUSYBOX, str(digest("one")))}

    @pytest_twisted.ensureDeferred
    async def test_repositories_of_tags_links_and_listings(self, index: Any) -> None:
        """Each once; a pin or publicity alone keeps nothing."""
        await index.put_tag(tag_entry("latest", "one"))
        await index.put_tag(tag_entry("1.36", "one"))
        await index.put_link(Link(ALPINE, digest("one"), None))
        await index.put_listing(Listing(ELSEWHERE, "", (), b"", NOW))
        nothing = Repository("docker.io", "library/nothing")
        await index.pin(nothing, "*", True)
        await index.put_publicity(nothing, Publicity(True, NOW))
        assert set(await index.repositories()) == {BUSYBOX, ALPINE, ELSEWHERE}

    @pytest_twisted.ensureDeferred
    async def test_blobs(self, index: Any) -> None:
        """Row by row, counted and summed; put again is replaced."""
        await index.put_blob(BlobRow(digest("one"), 5, NOW))
        await index.put_blob(BlobRow(digest("one"), 3, NOW))
        await index.put_blob(BlobRow(digest("two"), 2**40, NOW))
        assert (await index.blob(digest("one"))) == BlobRow(digest("one"), 3, NOW)
        assert (await index.total()) == (2, 2**40 + 3)

    @pytest_twisted.ensureDeferred
    async def test_a_blob_takes_with_it_what_points_to_it(self, index: Any) -> None:
        """Links and blobs agree; another blob's are left alone."""
        for text in ("one", "two"):
            await index.put_blob(BlobRow(digest(text), 3, NOW))
            await index.put_tag(tag_entry(text, text))
            await index.put_link(Link(BUSYBOX, digest(text), MANIFEST))
            await index.put_link(Link(ALPINE, digest(text), MANIFEST))
        await index.drop_blob(digest("one"))
        assert (await index.blob(digest("one"))) is None
        assert (await index.linked_from(digest("one"))) == ()
        assert (await index.tags(BUSYBOX)) == (tag_entry("two", "two"),)
        assert len(await index.linked_from(digest("two"))) == 2
        assert (await index.total()) == (1, 3)

    @pytest_twisted.ensureDeferred
    async def test_least_recent_first(self, index: Any) -> None:
        """By the last time asked for, as many as wanted."""
        for age, text in enumerate(("newest", "middle", "oldest")):
            await index.put_blob(BlobRow(digest(text), 1, NOW - age))
        rows = await index.least_recent(2)
        assert [row.digest for row in rows] == [digest("oldest"), digest("middle")]

    @pytest_twisted.ensureDeferred
    async def test_touch_counts_at_once(self, index: Any) -> None:
        """A clock that steps back makes nothing older; what is unknown stays unknown."""
        for age, text in enumerate(("c", "b", "a")):
            await index.put_blob(BlobRow(digest(text), 1, NOW - age))
        await index.touch([digest("a"), digest("unknown")], NOW + 1)
        await index.touch([digest("a"), digest("b")], NOW - 100)
        assert (await index.blob(digest("a"))) == BlobRow(digest("a"), 1, NOW + 1)
        assert (await index.blob(digest("b"))) == BlobRow(digest("b"), 1, NOW - 1)
        assert (await index.blob(digest("unknown"))) is None
        assert [row.digest for row in (await index.least_recent(1))] == [digest("b")]
        assert (await index.total()) == (3, 3)

    @pytest_twisted.ensureDeferred
    async def test_changes_at_once_happen_in_order(self, index: Any) -> None:
        """Nobody waits for the one before, and the last word holds."""
        changes = [index.put_tag(tag_entry("latest", str(n))) for n in range(50)]
        changes.append(index.put_link(Link(BUSYBOX, digest("49"), None)))
        changes.append(index.drop_blob(digest("48")))
        changes.append(index.put_blob(BlobRow(digest("49"), 1, NOW)))
        await gatherResults(changes)
        assert (await index.tags(BUSYBOX)) == (tag_entry("latest", "49"),)
        assert (await index.linked_from(digest("49"))) == (BUSYBOX,)

    @pytest_twisted.ensureDeferred
    async def test_text_outside_unicode_fails_alone(self, index: Any) -> None:
        """What can't be written fails its caller, and nobody who writes beside it."""
        good = index.put_tag(tag_entry("latest", "one"))
        with pytest.raises(ValueError, match="surrogates"):
            await index.put_tag(evolve(tag_entry("bad", "one"), variant="\udcff"))
        await good
        assert (await index.tags(BUSYBOX)) == (tag_entry("latest", "one"),)


class TestSQLiteIndex(IndexContract):
    """The index in two SQLite files."""

    @pytest_twisted.async_yield_fixture
    async def index(self, reactor: Any, tmp_path: Path) -> AsyncIterator[SQLiteIndex]:
        """An empty index."""
        async with opened_index(reactor, tmp_path) as index:
            yield index


async def blobs(*sizes: tuple[str, int]) -> AsyncIterator[tuple[Digest, int]]:
    """What a store says of its blobs."""
    for text, size in sizes:
        yield digest(text), size


@pytest_twisted.ensureDeferred
async def test_all_is_there_after_a_restart(reactor: Any, tmp_path: Path) -> None:
    """With the access times that were only touched."""
    async with opened_index(reactor, tmp_path) as index:
        await index.put_blob(BlobRow(digest("one"), 3, NOW))
        await index.put_tag(tag_entry("latest", "one"))
        await index.touch([digest("one")], NOW + 5)
    async with opened_index(reactor, tmp_path) as index:
        assert (await index.tag(BUSYBOX, "latest")) == (tag_entry("latest", "one"),)
        assert (await index.blob(digest("one"))) == BlobRow(digest("one"), 3, NOW + 5)


@pytest_twisted.ensureDeferred
async def test_flush_writes_what_was_touched(reactor: Any, tmp_path: Path) -> None:
    """A crash after it loses no access time; a blob that is gone does not come back."""
    async with opened_index(reactor, tmp_path) as index:
        for text in ("one", "gone"):
            await index.put_blob(BlobRow(digest(text), 3, NOW))
        await index.touch([digest("one"), digest("gone")], NOW + 5)
        await gatherResults([index.drop_blob(digest("gone")), index.flush()])
        copy = tmp_path / "crash"
        copy.mkdir()
        for path in list(tmp_path.glob("index*")):
            (copy / path.name).write_bytes(path.read_bytes())
        async with opened_index(reactor, copy) as other:
            assert (await other.blob(digest("one"))) == BlobRow(digest("one"), 3, NOW + 5)
            assert (await other.total()) == (1, 3)


@pytest_twisted.ensureDeferred
async def test_rebuild_brings_rows_into_line_with_blobs(reactor: Any, tmp_path: Path) -> None:
    """New rows, other sizes, rows without a blob, links and tags without one."""
    async with opened_index(reactor, tmp_path) as index:
        for text in ("same", "grown", "gone"):
            await index.put_blob(BlobRow(digest(text), 3, NOW - 5))
        for text in ("same", "gone", "never"):
            await index.put_tag(tag_entry(text, text))
            await index.put_link(Link(BUSYBOX, digest(text), None))
        found = blobs(("same", 3), ("grown", 4), ("new", 5))
        await index.rebuild(found)
        assert (await index.blob(digest("same"))) == BlobRow(digest("same"), 3, NOW - 5)
        assert (await index.blob(digest("grown"))) == BlobRow(digest("grown"), 4, NOW)
        assert (await index.blob(digest("new"))) == BlobRow(digest("new"), 5, NOW)
        assert (await index.total()) == (3, 12)
        assert (await index.tags(BUSYBOX)) == (tag_entry("same", "same"),)
        assert (await index.links(BUSYBOX)) == (Link(BUSYBOX, digest("same"), None),)


@pytest_twisted.ensureDeferred
async def test_rebuild_takes_many_blobs(reactor: Any, tmp_path: Path) -> None:
    """More than fit in one look-up."""
    async with opened_index(reactor, tmp_path) as index:
        many = [(str(number), 1) for number in range(2500)]
        await index.rebuild(blobs(*many))
        assert (await index.total()) == (2500, 2500)
        await index.rebuild(blobs())
        assert (await index.total()) == (0, 0)


@pytest_twisted.ensureDeferred
async def test_rebuild_spares_what_comes_meanwhile(reactor: Any, tmp_path: Path) -> None:
    """A blob that is put after the pass began is not in it, and stays with its link."""
    async with opened_index(reactor, tmp_path) as index:

        async def late() -> AsyncIterator[tuple[Digest, int]]:
            await index.put_blob(BlobRow(digest("late"), 3, NOW))
            await index.put_link(Link(BUSYBOX, digest("late"), None))
            await index.put_link(Link(BUSYBOX, digest("soon"), None))
            yield digest("old"), 1

        await index.rebuild(late())
        assert (await index.total()) == (2, 4)
        assert len(await index.links(BUSYBOX)) == 2


@pytest_twisted.ensureDeferred
async def test_a_full_disk_has_its_name(reactor: Any, tmp_path: Path) -> None:
    """The change fails with ``StoreFull``; reads go on, and touches wait for better times."""
    async with opened_index(reactor, tmp_path) as index:
        await index.put_blob(BlobRow(digest("one"), 3, NOW))
        query = index._files.query
        await index._threads.run(query, "PRAGMA max_page_count = 1")
        with pytest.raises(StoreFull):
            await index.put_listing(Listing(BUSYBOX, "", (), b" " * 100_000, NOW))
        assert await index.listing(BUSYBOX, "") is None
        await index.touch([digest("one")], NOW + 5)
        await index._threads.run(query, "PRAGMA query_only = 1")
        with pytest.raises(StoreFailed):
            await index.flush()
        assert (await index.least_recent(1)) == (BlobRow(digest("one"), 3, NOW + 5),)
        await index._threads.run(query, "PRAGMA query_only = 0")
    async with opened_index(reactor, tmp_path) as index:
        assert await index.blob(digest("one")) == BlobRow(digest("one"), 3, NOW + 5)


@pytest_twisted.ensureDeferred
async def test_a_later_version_is_refused_and_closing_is_harmless(
    reactor: Any, tmp_path: Path
) -> None:
    """``open`` fails with ``IndexTooNew``; ``close`` after that, and twice, does nothing."""
    async with opened_index(reactor, tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / "index.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(IndexTooNew):
        async with opened_index(reactor, tmp_path):
            pytest.fail("it was opened")


@pytest_twisted.ensureDeferred
async def test_a_caller_that_gives_up_waiting(reactor: Any, tmp_path: Path) -> None:
    """Its change is made all the same, and so are those after it."""
    async with opened_index(reactor, tmp_path) as index:
        given_up = index.put_tag(tag_entry("latest", "one"))
        after = index.put_tag(tag_entry("1.36", "one"))
        given_up.cancel()
        with pytest.raises(CancelledError):
            await given_up
        await after
        assert len(await index.tags(BUSYBOX)) == 2


@pytest_twisted.ensureDeferred
async def test_a_damaged_row_is_mended_unseen(reactor: Any, tmp_path: Path) -> None:
    """The caller gets what was put."""
    async with opened_index(reactor, tmp_path) as index:
        await index.put_tag(tag_entry("latest", "one"))
    change_text(tmp_path / "index.sqlite", MANIFEST)
    async with opened_index(reactor, tmp_path) as index:
        assert (await index.tag(BUSYBOX, "latest")) == (tag_entry("latest", "one"),)
