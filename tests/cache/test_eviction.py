"""The store keeps its size, at the cost of the images that nobody asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest_twisted
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock, deferLater
from twisted.python.threadpool import ThreadPool

from hubmirror.cache.blobs import FileBlobStore
from hubmirror.cache.eviction import Evictor
from hubmirror.cache.files import Files
from hubmirror.cache.partials import PartialRow
from hubmirror.naming import Digest
from tests.cache.indexes import opened_index
from tests.cache.kept import BUSYBOX, Kept
from tests.cache.memory import MemoryBlobStore, MemoryIndex, digest_of
from tests.upstream.remote import error_of, result_of

_KIB = 1024
_DAY = 24 * 3600.0
_NOW = 100 * _DAY


def _layer(name: str) -> bytes:
    """A layer of 10 KiB: beside it a manifest and a config are small."""
    return name.encode().ljust(10 * _KIB)


@define
class _Partials:
    """Partial blobs of which only the rows are there."""

    rows: list[PartialRow] = field(factory=list)

    def all(self) -> Deferred[list[PartialRow]]:
        return succeed(list(self.rows))

    def remove(self, digest: Digest) -> Deferred[None]:
        self.rows = [row for row in self.rows if row.digest != digest]
        return succeed(None)


@define
class _Store:
    """What is kept, and how much may be. The disk is as large as it need be."""

    max_size: int = 50 * _KIB
    min_free: int = 0
    free: int = 1 << 40
    now: float = _NOW
    used: set[Digest] = field(factory=set)
    blobs: MemoryBlobStore = field(factory=MemoryBlobStore)
    index: MemoryIndex = field(factory=MemoryIndex)
    partials: _Partials = field(factory=_Partials)
    _evictor: Evictor | None = None

    def keep(self, name: str, at: float, *layers: str, tag: str | None = None) -> Digest:
        kept = Kept(self.index, self.blobs)
        return result_of(kept.image(name, at, *map(_layer, layers), tag=tag))

    @property
    def evictor(self) -> Evictor:
        if self._evictor is None:
            self._evictor = Evictor(
                self.index,
                self.blobs,
                self.partials,
                max_size=self.max_size,
                min_free=self.min_free,
                now=lambda: self.now,
                free_space=lambda: self.free - sum(row.size for row in self.partials.rows),
                in_use=self.used.__contains__,
            )
        return self._evictor

    def make_room(self, incoming: int = 0) -> int:
        freed = result_of(self.evictor.make_room(incoming))
        self.check()
        return freed

    def check(self) -> None:
        """Links, tags, rows and files agree."""
        rows = {row.digest for row in result_of(_of(self.index.least_recent(10**6)))}
        links = result_of(_of(self.index.links(BUSYBOX)))
        tags = result_of(_of(self.index.tags(BUSYBOX)))
        assert rows == {*self.blobs.content}
        assert {link.digest for link in links} <= rows
        assert {entry.digest for entry in tags} <= rows

    def has(self, *what: Digest | str) -> list[bool]:
        digests = [digest_of(_layer(w)) if isinstance(w, str) else w for w in what]
        return [digest in self.blobs.content for digest in digests]


async def _of(deferred: Deferred[Any]) -> Any:
    return await deferred


def test_with_room_enough() -> None:
    """Nothing goes as long as there is room, up to the last byte."""
    store = _Store()
    store.keep("one", 1, "a", "b")
    kept = sum(map(len, store.blobs.content.values()))
    assert store.make_room(store.max_size - kept) == 0
    assert store.make_room(store.max_size - kept + 1) > 0


def test_the_oldest_image_goes_whole() -> None:
    """The image asked for longest ago goes with its layers; others stay whole."""
    store = _Store()
    young = store.keep("young", 2, "c", "d")
    old = store.keep("old", 1, "a", "b", tag="latest")
    freed = store.make_room(10 * _KIB)
    assert 20 * _KIB < freed < 22 * _KIB
    assert store.has(old, "a", "b") == [False] * 3
    assert store.has(young, "c", "d") == [True] * 3
    assert result_of(_of(store.index.tag(BUSYBOX, "latest"))) == ()


def test_shared_layers_stay() -> None:
    """What another kept image needs is not taken from it."""
    store = _Store()
    old = store.keep("old", 1, "base", "a")
    store.keep("young", 2, "base", "b", "c")
    store.make_room(10 * _KIB)
    assert store.has(old, "a", "base", "b", "c") == [False, False, True, True, True]


def test_shared_layers_go_with_the_last() -> None:
    """What two images share goes with the second of them, in the same run."""
    store = _Store()
    store.keep("old", 1, "base", "a")
    store.keep("older", 0, "base", "b")
    young = store.keep("young", 2, "c")
    store.make_room(35 * _KIB)
    assert store.has("base", "a", "b", young) == [False, False, False, True]


def test_it_goes_on_to_the_low_water_mark() -> None:
    """Having begun, it makes a little more room, so that the next put need not begin it."""
    store = _Store(max_size=400 * _KIB)
    for number in range(39):
        store.keep(f"image {number}", number, f"layer {number}")
    store.make_room(10 * _KIB)
    _count, kept = result_of(_of(store.index.total()))
    assert 0.9 * store.max_size < kept + 10 * _KIB <= 0.95 * store.max_size
    assert store.make_room(10 * _KIB) == 0


def test_what_is_used_stays() -> None:
    """An image of which one layer is being read stays as a whole, and a younger one goes."""
    store = _Store()
    old = store.keep("old", 1, "a", "b")
    young = store.keep("young", 2, "c", "d")
    store.used.add(digest_of(_layer("b")))
    store.make_room(10 * _KIB)
    assert store.has(old, "a", "b") == [True] * 3
    assert store.has(young) == [False]


def test_pins_stay() -> None:
    """A pinned tag keeps its manifest and layers, whatever their age."""
    store = _Store()
    old = store.keep("old", 1, "a", "b", tag="keep")
    young = store.keep("young", 2, "c", "d")
    store.index.pin(BUSYBOX, "keep", True)
    store.make_room(10 * _KIB)
    assert store.has(old, "a", "b", young) == [True, True, True, False]


def test_when_nothing_may_go() -> None:
    """With all pinned it gives up, and takes a rest before it looks again."""
    store = _Store()
    store.keep("old", 1, "a", "b", "c")
    store.index.pin(BUSYBOX, "*", True)
    store.max_size = 20 * _KIB
    assert store.make_room(0) == 0
    store.index.pin(BUSYBOX, "*", False)
    store.now += 59
    assert store.make_room(0) == 0
    store.now += 1
    assert store.make_room(0) > 0


def test_nothing_goes_for_what_does_not_fit() -> None:
    """A blob larger than the store could be does not empty it."""
    store = _Store()
    old = store.keep("old", 1, "a")
    assert store.make_room(store.max_size + 1) == 0
    assert store.has(old) == [True]


def test_the_disk_keeps_some_space() -> None:
    """A disk that others fill makes room, too."""
    store = _Store(min_free=100 * _KIB, free=95 * _KIB)
    old = store.keep("old", 1, "a")
    young = store.keep("young", 2, "b")
    assert store.make_room(1 * _KIB) >= 6 * _KIB
    assert store.has(old, young) == [False, True]


def test_abandoned_partials_go_first() -> None:
    """A download that nobody went on with for a day goes before any image does."""
    store = _Store(min_free=100 * _KIB, free=107 * _KIB)
    old = store.keep("old", 1, "a")
    abandoned = PartialRow(digest_of(b"abandoned"), 6 * _KIB, _NOW - _DAY - 1)
    fresh = PartialRow(digest_of(b"fresh"), 6 * _KIB, _NOW - _DAY + 1)
    store.partials.rows = [abandoned, fresh]
    assert store.make_room() == 6 * _KIB
    assert store.partials.rows == [fresh]
    assert store.has(old) == [True]


def test_lone_blobs_go_by_their_own_age() -> None:
    """A blob that no manifest needs is as old as itself."""
    store = _Store()
    store.keep("image", 5, "a", "b")
    lone = result_of(Kept(store.index, store.blobs).blob(_layer("lone"), 4))
    store.make_room(20 * _KIB)
    assert store.has(lone, "a", "b") == [False, True, True]


@define
class _Slowly(MemoryBlobStore):
    """A store whose reads take a second, and whose files go only when it is told so."""

    clock: Clock = field(factory=Clock)
    log: list[str] = field(factory=list)

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def read(self, digest: Digest) -> Deferred[bytes | None]:
        return deferLater(self.clock, 1, self.content.get, digest)

    def remove(self, digest: Digest) -> Deferred[None]:
        self.log.append("file")
        return super().remove(digest)


def test_what_is_asked_for_meanwhile_stays() -> None:
    """An image that is asked for while the images are being looked at is old no more."""
    blobs = _Slowly()
    store = _Store(blobs=blobs)
    old = store.keep("old", 1, "a", "b")
    young = store.keep("young", 2, "c", "d")
    making = Deferred.fromCoroutine(store.evictor.make_room(10 * _KIB))
    store.now += 1
    store.index.touch([digest_of(_layer("b"))], store.now)
    blobs.clock.pump([1, 1])
    result_of(_of(making))
    assert store.has(old, "b", young) == [True, True, False]


def test_a_clock_that_was_set_back() -> None:
    """What was asked for in a future that did not come may go as anything else."""
    store = _Store()
    old = store.keep("old", 1, "a", "b")
    store.keep("young", 2, "c", "d")
    store.index.touch([digest_of(_layer("b"))], _NOW + _DAY)
    store.make_room(10 * _KIB)
    assert store.has(old, "b") == [False, False]


def test_two_at_once() -> None:
    """Who comes while room is being made waits, and finds it made."""
    blobs = _Slowly()
    store = _Store(blobs=blobs)
    store.keep("old", 1, "a", "b")
    young = store.keep("young", 2, "c", "d")
    making = [Deferred.fromCoroutine(store.evictor.make_room(10 * _KIB)) for _ in range(2)]
    blobs.clock.pump([1] * 4)
    freed = [result_of(_of(each)) for each in making]
    assert freed[0] > 0
    assert freed[1] == 0
    assert store.has(young) == [True]


def test_rows_go_before_files() -> None:
    """At each moment, all that the index tells of can be served."""
    blobs = _Slowly()
    store = _Store(blobs=blobs)
    old = store.keep("old", 1, "a", "b")
    store.keep("young", 2, "c", "d")
    drop = store.index.drop_blob

    def dropped(digest: Digest) -> Deferred[None]:
        blobs.log.append("row")
        return drop(digest)

    store.index.drop_blob = dropped  # type: ignore[method-assign]
    making = Deferred.fromCoroutine(store.evictor.make_room(10 * _KIB))
    blobs.clock.pump([1, 1])
    result_of(_of(making))
    assert store.has(old) == [False]
    assert blobs.log == ["row", "file"] * 4


def test_cancelled_in_between() -> None:
    """Who waits for room and goes away leaves no file without a row."""
    store = _Store()
    store.keep("old", 1, "a", "b")
    store.keep("young", 2, "c", "d")
    drop, wait = store.index.drop_blob, Deferred[None]()

    def dropped(digest: Digest) -> Deferred[None]:
        return wait.addCallback(lambda _: drop(digest))

    store.index.drop_blob = dropped  # type: ignore[method-assign]
    making = Deferred.fromCoroutine(store.evictor.make_room(10 * _KIB))
    making.cancel()
    error_of(making, CancelledError)
    wait.callback(None)
    store.check()
    assert len(store.blobs.content) == 7


def test_a_file_that_comes_back_stays() -> None:
    """Fetched anew between the row's and the file's going, a blob keeps its new file."""
    store = _Store()
    old = store.keep("old", 1, "a", "b")
    store.keep("young", 2, "c", "d")
    drop = store.index.drop_blob

    def dropped(digest: Digest) -> Deferred[None]:
        if digest == old:
            store.used.add(old)
        return drop(digest)

    store.index.drop_blob = dropped  # type: ignore[method-assign]
    result_of(store.evictor.make_room(10 * _KIB))
    assert store.has(old, "a", "b") == [True, False, False]


@pytest_twisted.ensureDeferred
async def test_on_the_disk(reactor: Any, tmp_path: Path) -> None:
    """With the real index and files: what stays is whole, and a restart finds nothing amiss."""
    pool = ThreadPool(1, 2)
    pool.start()
    try:
        blobs = FileBlobStore(tmp_path, Files(), reactor, pool, pool)
        await blobs.sweep()
        async with opened_index(reactor, tmp_path) as index:
            kept = Kept(index, blobs)
            old = await kept.image("old", 1, _layer("base"), _layer("a"), tag="latest")
            young = await kept.image("young", 2, _layer("base"), _layer("b"))
            evictor = Evictor(
                index,
                blobs,
                _Partials(),
                max_size=40 * _KIB,
                min_free=0,
                now=lambda: _NOW,
                free_space=lambda: 1 << 40,
                in_use=lambda _: False,
            )
            assert await evictor.make_room(10 * _KIB) > 10 * _KIB
            rows = await index.least_recent(100)
            assert old not in {row.digest for row in rows}
            assert young in {row.digest for row in rows}
            assert digest_of(_layer("base")) in {row.digest for row in rows}
            assert [row async for row in blobs.all()] == sorted(
                ((row.digest, row.size) for row in rows), key=lambda row: str(row[0])
            )
            await index.rebuild(blobs.all())
            assert await index.least_recent(100) == rows
    finally:
        pool.stop()


_LAYERS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4)
_IMAGES = st.lists(st.tuples(st.integers(0, 9), _LAYERS, st.booleans()), min_size=1, max_size=8)


@given(_IMAGES, st.integers(15, 60), st.sets(st.sampled_from("abcdef"), max_size=2))
def test_whatever_is_kept(
    images: list[tuple[int, list[str], bool]], max_size: int, used: set[str]
) -> None:
    """Whatever images share: pins and what is used stay whole, what goes leaves no trace, and

    the store is within its size unless only such are left.
    """
    store = _Store(max_size=max_size * _KIB)
    store.used.update(digest_of(_layer(name)) for name in used)
    manifests = []
    for number, (at, layers, is_pinned) in enumerate(images):
        manifests.append(store.keep(str(number), at, *layers))
        if is_pinned:
            store.index.pin(BUSYBOX, str(manifests[-1]), True)
    store.make_room()
    kept = result_of(_of(store.index.total()))[1]
    may_go = False
    for manifest, (_at, layers, is_pinned) in zip(manifests, images, strict=True):
        [is_kept] = store.has(manifest)
        assert is_kept or not is_pinned
        if is_kept:
            assert all(store.has(*layers))
            may_go |= not is_pinned and not used & {*layers}
    assert kept <= store.max_size or not may_go
