"""An index and a store that remember: the contracts of both hold, and less is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, succeed

from hubmirror.cache.interfaces import BlobRow, Link
from hubmirror.cache.memory import Memory, RememberingBlobs, RememberingIndex
from hubmirror.coordination.board import Board
from hubmirror.coordination.versions import BoardVersions, Versions
from tests.cache.contract_blobs import BlobStoreContract
from tests.cache.contract_partials import Restart
from tests.cache.indexes import BUSYBOX, MANIFEST, NOW, digest, opened_index, tag_entry
from tests.cache.memory import MemoryBlobStore, MemoryIndex, digest_of
from tests.cache.test_index import IndexContract

MIB = 1024 * 1024


class TestRememberingIndex(IndexContract):
    """The contract holds, whatever is remembered."""

    @pytest_twisted.async_yield_fixture
    async def index(self, reactor: Any, tmp_path: Path) -> AsyncIterator[RememberingIndex]:
        """An empty one."""
        async with opened_index(reactor, tmp_path) as index:
            yield RememberingIndex(index, Memory(MIB))


class TestRememberingBlobs(BlobStoreContract):
    """The contract holds."""

    @pytest.fixture
    def blobs(self, restart: Restart) -> Any:
        """An empty one."""
        blobs, _ = pytest_twisted.blockon(restart())
        return RememberingBlobs(blobs, Memory(MIB))


@define
class Source:
    """What is read, each time counted; ``answers`` fire when they are told to."""

    reads: int = 0
    answers: list[Deferred[str]] = field(factory=list)

    def read(self) -> Deferred[str]:
        self.reads += 1
        self.answers.append(Deferred())
        return self.answers[-1]


def value_of(deferred: Deferred[Any]) -> Any:
    """What it has fired with."""
    fired: list[Any] = []
    deferred.addCallback(fired.append)
    assert fired, "it has not fired"
    return fired[0]


def test_reads_once() -> None:
    """What was read is there at once, and the source is not asked."""
    memory, source = Memory(MIB), Source()
    first = memory.recall("key", source.read)
    source.answers[0].callback("value")
    assert value_of(first) == "value"
    assert value_of(memory.recall("key", source.read)) == "value"
    assert source.reads == 1


def test_what_changes_while_it_is_read_is_not_remembered() -> None:
    """It may be from before: the next one asks again."""
    memory, source = Memory(MIB), Source()
    first = memory.recall("key", source.read)
    memory.forget("key")
    source.answers[0].callback("old")
    assert value_of(first) == "old"
    memory.recall("key", source.read)
    assert source.reads == 2


def test_nothing_is_not_remembered() -> None:
    """Else anybody could fill the memory with what is not there."""
    memory = Memory(MIB)
    read: Callable[[], Deferred[str | None]] = lambda: succeed(None)  # noqa: E731
    assert value_of(memory.recall("key", read)) is None
    assert memory.used == 0


def test_holds_its_limit() -> None:
    """What was used least recently goes; what is larger than all of it never comes."""
    memory, source = Memory(10_000), Source()
    sizes = {"a": 3000, "b": 3000, "c": 3000}
    for key, size in sizes.items():
        value_of(memory.recall(key, lambda: succeed("x"), lambda _value, n=size: n))  # type: ignore[misc]
        value_of(memory.recall("a", lambda: succeed("x")))
    assert memory.used <= 10_000
    memory.recall("a", source.read)
    assert source.reads == 0
    memory.recall("b", source.read)
    assert source.reads == 1
    value_of(memory.recall("large", lambda: succeed("x"), lambda _value: 20_000))
    memory.recall("large", source.read)
    assert source.reads == 2


def test_forgets_all() -> None:
    """And weighs nothing then."""
    memory, source = Memory(MIB), Source()
    value_of(memory.recall("key", lambda: succeed("x")))
    memory.forget_all()
    assert memory.used == 0
    memory.recall("key", source.read)
    assert source.reads == 1


@ensureDeferred
async def test_the_index_below_is_asked_once() -> None:
    """For a tag, a link and a row; until they change."""
    below = MemoryIndex()
    index = RememberingIndex(below, Memory(MIB))
    entry, link = tag_entry("latest", "one"), Link(BUSYBOX, digest("one"), MANIFEST)
    await index.put_tag(entry)
    await index.put_link(link)
    await index.put_blob(BlobRow(digest("one"), 1, NOW))
    for _ in range(2):
        await index.tag(BUSYBOX, "latest")
        await index.link(BUSYBOX, digest("one"))
        await index.blob(digest("one"))
    await below.drop_tag(BUSYBOX, "latest")  # behind its back
    await below.drop_link(BUSYBOX, digest("one"))
    assert await index.tag(BUSYBOX, "latest") == (entry,)
    assert await index.link(BUSYBOX, digest("one")) == link
    await index.drop_tag(BUSYBOX, "latest")
    assert await index.tag(BUSYBOX, "latest") == ()


@ensureDeferred
async def test_a_blob_that_goes_takes_all_with_it() -> None:
    """Tags and links that pointed to it are remembered no more."""
    index = RememberingIndex(MemoryIndex(), Memory(MIB))
    entry = tag_entry("latest", "one")
    await index.put_blob(BlobRow(entry.digest, 1, NOW))
    await index.put_tag(entry)
    assert await index.tag(BUSYBOX, "latest") == (entry,)
    await index.drop_blob(entry.digest)
    assert await index.tag(BUSYBOX, "latest") == ()
    assert await index.blob(entry.digest) is None


@ensureDeferred
async def test_the_store_below_is_read_once() -> None:
    """Until the blob is removed."""
    below = MemoryBlobStore()
    blobs = RememberingBlobs(below, Memory(MIB))
    data = b"a manifest"
    await blobs.put(digest_of(data), data)
    assert await blobs.read(digest_of(data)) == data
    below.content.clear()
    assert await blobs.read(digest_of(data)) == data
    await blobs.remove(digest_of(data))
    assert await blobs.read(digest_of(data)) is None


@pytest.fixture(params=["process", "board"])
def memories(request: pytest.FixtureRequest, tmp_path: Path) -> list[Memory]:
    """Two that share their versions: within a process, or as two processes do."""
    if request.param == "board":
        return [Memory(MIB, BoardVersions(Board(tmp_path / "board"))) for _ in range(2)]
    versions = Versions()
    return [Memory(MIB, versions) for _ in range(2)]


def test_a_change_through_one_is_seen_by_the_other(memories: list[Memory]) -> None:
    """At once; what did not change is not read again."""
    one, other = memories
    source = Source()
    value_of(other.recall("key", lambda: succeed("old")))
    value_of(other.recall("kept", lambda: succeed("kept")))
    one.forget("key")
    again = other.recall("key", source.read)
    source.answers[0].callback("new")
    assert value_of(again) == "new"
    assert value_of(other.recall("kept", source.read)) == "kept"
    assert value_of(other.recall("key", source.read)) == "new"
    assert source.reads == 1


def test_a_change_while_the_other_reads_is_seen(memories: list[Memory]) -> None:
    """What it has read may be from before: it is given, and not remembered."""
    one, other = memories
    source = Source()
    first = other.recall("key", source.read)
    one.forget("key")
    source.answers[0].callback("old")
    assert value_of(first) == "old"
    other.recall("key", source.read)
    assert source.reads == 2
    assert other.used == 0


def test_that_all_may_have_changed_is_seen_by_the_other(memories: list[Memory]) -> None:
    """What it remembers and what it is reading."""
    one, other = memories
    source = Source()
    value_of(other.recall("key", lambda: succeed("old")))
    reading = other.recall("read", source.read)
    one.forget_all()
    source.answers[0].callback("old")
    assert value_of(reading) == "old"
    other.recall("key", source.read)
    other.recall("read", source.read)
    assert source.reads == 3


def test_what_has_changed_is_weighed_once(memories: list[Memory]) -> None:
    """The new value takes the old one's place, however often it changes."""
    one, other = memories
    sizes = []
    for _ in range(5):
        one.forget("key")
        value_of(other.recall("key", lambda: succeed("x"), lambda _value: 100))
        sizes.append(other.used)
    assert len(set(sizes)) == 1


@ensureDeferred
async def test_two_indexes_that_remember_tell_each_other(reactor: Any, tmp_path: Path) -> None:
    """One process writes what another looks at: a tag that moved is the new one at once."""
    async with opened_index(reactor, tmp_path) as index:
        keeper, worker = (
            RememberingIndex(index, Memory(MIB, BoardVersions(Board(tmp_path / "board"))))
            for _ in range(2)
        )
        await keeper.put_tag(tag_entry("latest", "1"))
        (before,) = await worker.tag(BUSYBOX, "latest")
        assert before.digest == digest("1")
        await keeper.drop_tag(BUSYBOX, "latest")
        await keeper.put_tag(tag_entry("latest", "2"))
        (after,) = await worker.tag(BUSYBOX, "latest")
        assert after.digest == digest("2")
        await keeper.drop_tag(BUSYBOX, "latest")
        assert await worker.tag(BUSYBOX, "latest") == ()


def test_a_smaller_limit_holds_at_once() -> None:
    """What is too much goes, and what was used last stays."""
    memory, source = Memory(10_000), Source()
    for key in ("a", "b"):
        value_of(memory.recall(key, lambda: succeed("x"), lambda _value: 3000))
    memory.resize(5000)
    assert memory.used <= 5000
    memory.recall("b", source.read)
    assert source.reads == 0
