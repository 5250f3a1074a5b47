"""What was read a moment ago, kept in memory: an index and a store over others.

Whatever changes must go through these, or they tell what was.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Final, NamedTuple, TypeVar, cast

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.python.components import proxyForInterface

from hubmirror.cache.interfaces import (
    BlobRow,
    IBlobStore,
    IIndex,
    Link,
    Listing,
    Publicity,
    TagEntry,
)
from hubmirror.coordination.versions import IVersions, Versions
from hubmirror.naming import Digest, Repository

__all__ = ["Memory", "RememberingBlobs", "RememberingIndex"]

T = TypeVar("T")

#: About what one entry costs beside the bytes that it holds.
_OVERHEAD: Final = 1024

_IndexProxy = proxyForInterface(IIndex, "_index")
_BlobsProxy = proxyForInterface(IBlobStore, "_blobs")


class _Kept(NamedTuple):
    """A value, what it weighs in bytes, where its version stands, and which it was."""

    value: object
    weight: int
    place: int
    version: int


class Memory:
    """Values by key, up to ``limit`` bytes; what was used least recently goes first.

    ``versions`` tell what has changed: also by other processes, where they share them.
    """

    def __init__(self, limit: int, versions: IVersions | None = None) -> None:
        self._limit = limit
        self._used = 0
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._versions = versions or Versions()

    @property
    def used(self) -> int:
        """How many bytes it holds, about."""
        return self._used

    def resize(self, limit: int) -> None:
        """Hold so many bytes from now on."""
        self._limit = limit
        self._shrink()

    def recall(
        self,
        key: Hashable,
        read: Callable[[], Deferred[T]],
        size: Callable[[T], int] = lambda _value: 0,
    ) -> Deferred[T]:
        """What ``read`` gives, from memory where it is there. ``size`` is what its bytes weigh.

        What is forgotten while it is being read is not remembered, as it may be from before; nor
        is that there is nothing, which anybody could ask for in any number.
        """
        versions = self._versions
        found = self._kept.get(key)
        if found is not None and versions.at(found.place) == found.version:
            if self._used > self._limit // 2:  # else nothing is about to go
                self._kept.move_to_end(key)
            return succeed(cast(T, found.value))
        place = versions.place(key)
        before = versions.at(place)

        def remember(value: T) -> T:
            if value and before == versions.at(place):
                self._keep(key, _Kept(value, size(value) + _OVERHEAD, place, before))
            return value

        return read().addCallback(remember)

    def amend(self, key: Hashable, change: Callable[[T], T]) -> None:
        """Change the value under ``key``, if it is remembered; it weighs the same."""
        found = self._kept.get(key)
        if found is not None:
            self._kept[key] = found._replace(value=change(cast(T, found.value)))

    def forget(self, *keys: Hashable) -> None:
        """These have changed, or are about to."""
        for key in keys:
            self._versions.changed(key)
            self._drop(key)

    def forget_all(self) -> None:
        """Anything may have changed."""
        self._versions.all_changed()
        self._kept.clear()
        self._used = 0

    def _keep(self, key: Hashable, kept: _Kept) -> None:
        self._drop(key)
        if kept.weight > self._limit:
            return
        self._kept[key] = kept
        self._used += kept.weight
        self._shrink()

    def _shrink(self) -> None:
        while self._used > self._limit:
            _key, oldest = self._kept.popitem(last=False)
            self._used -= oldest.weight

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._used -= kept.weight


class RememberingIndex(_IndexProxy):  # type: ignore[misc, valid-type]
    """An ``IIndex`` over another, ``_index``. A change is forgotten before and after it is made:

    who reads meanwhile may get what was, and it is not remembered.
    """

    def __init__(self, index: IIndex, memory: Memory) -> None:
        super().__init__(index)
        self._memory = memory

    def tag(self, repository: Repository, tag: str) -> Deferred[tuple[TagEntry, ...]]:
        """See ``IIndex``."""
        return self._memory.recall(
            ("tag", repository, tag), lambda: self._index.tag(repository, tag)
        )

    def put_tag(self, entry: TagEntry) -> Deferred[None]:
        """See ``IIndex``."""
        key = ("tag", entry.repository, entry.tag)
        return self._change(lambda: self._index.put_tag(entry), key)

    def drop_tag(self, repository: Repository, tag: str) -> Deferred[None]:
        """See ``IIndex``."""
        key = ("tag", repository, tag)
        return self._change(lambda: self._index.drop_tag(repository, tag), key)

    def link(self, repository: Repository, digest: Digest) -> Deferred[Link | None]:
        """See ``IIndex``."""
        return self._memory.recall(
            ("link", repository, digest), lambda: self._index.link(repository, digest)
        )

    def put_link(self, link: Link) -> Deferred[None]:
        """See ``IIndex``."""
        key = ("link", link.repository, link.digest)
        return self._change(lambda: self._index.put_link(link), key)

    def drop_link(self, repository: Repository, digest: Digest) -> Deferred[None]:
        """See ``IIndex``."""
        key = ("link", repository, digest)
        return self._change(lambda: self._index.drop_link(repository, digest), key)

    def publicity(self, repository: Repository) -> Deferred[Publicity | None]:
        """See ``IIndex``."""
        return self._memory.recall(
            ("public", repository), lambda: self._index.publicity(repository)
        )

    def put_publicity(self, repository: Repository, publicity: Publicity) -> Deferred[None]:
        """See ``IIndex``."""
        key = ("public", repository)
        return self._change(lambda: self._index.put_publicity(repository, publicity), key)

    def listing(self, repository: Repository, key: str) -> Deferred[Listing | None]:
        """See ``IIndex``."""
        return self._memory.recall(
            ("listing", repository, key),
            lambda: self._index.listing(repository, key),
            lambda found: 0 if found is None else len(found.body),
        )

    def put_listing(self, listing: Listing) -> Deferred[None]:
        """See ``IIndex``."""
        key = ("listing", listing.repository, listing.key)
        return self._change(lambda: self._index.put_listing(listing), key)

    def blob(self, digest: Digest) -> Deferred[BlobRow | None]:
        """See ``IIndex``."""
        return self._memory.recall(("row", digest), lambda: self._index.blob(digest))

    def put_blob(self, row: BlobRow) -> Deferred[None]:
        """See ``IIndex``."""
        return self._change(lambda: self._index.put_blob(row), ("row", row.digest))

    def drop_blob(self, digest: Digest) -> Deferred[None]:
        """See ``IIndex``. Links and tags go with it, so all is forgotten."""
        return self._change(lambda: self._index.drop_blob(digest), None)

    def touch(self, digests: Iterable[Digest], now: float) -> Deferred[None]:
        """See ``IIndex``."""
        touched = tuple(digests)
        for digest in touched:
            self._memory.amend(("row", digest), lambda row: _touched(row, now))
        touching: Deferred[None] = self._index.touch(touched, now)
        return touching

    def _change(self, change: Callable[[], Deferred[None]], key: Hashable) -> Deferred[None]:
        self._forget(key)

        def changed(result: T) -> T:
            self._forget(key)
            return result

        return change().addBoth(changed)

    def _forget(self, key: Hashable) -> None:
        if key is None:
            self._memory.forget_all()
        else:
            self._memory.forget(key)


def _touched(row: BlobRow, now: float) -> BlobRow:
    return evolve(row, accessed=max(row.accessed, now))


class RememberingBlobs(_BlobsProxy):  # type: ignore[misc, valid-type]
    """An ``IBlobStore`` over another, ``_blobs``, that remembers what ``read`` gives."""

    def __init__(self, blobs: IBlobStore, memory: Memory) -> None:
        super().__init__(blobs)
        self._memory = memory

    def read(self, digest: Digest) -> Deferred[bytes | None]:
        """See ``IBlobStore``."""
        return self._memory.recall(
            ("bytes", digest),
            lambda: self._blobs.read(digest),
            lambda found: 0 if found is None else len(found),
        )

    def put(self, digest: Digest, data: bytes) -> Deferred[None]:
        """See ``IBlobStore``."""
        return self._changed(digest, lambda: self._blobs.put(digest, data))

    def remove(self, digest: Digest) -> Deferred[None]:
        """See ``IBlobStore``."""
        return self._changed(digest, lambda: self._blobs.remove(digest))

    def _changed(self, digest: Digest, change: Callable[[], Deferred[None]]) -> Deferred[None]:
        self._memory.forget(("bytes", digest))

        def changed(result: T) -> T:
            self._memory.forget(("bytes", digest))
            return result

        return change().addBoth(changed)
