"""A store and an index in memory: for units, and as models of what the real ones do."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from hashlib import sha256
from typing import TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from hubmirror.cache.interfaces import (
    BlobRow,
    IBlobStore,
    IIndex,
    Link,
    Listing,
    Publicity,
    TagEntry,
)
from hubmirror.naming import Digest, Repository
from hubmirror.question import FileSlice

__all__ = ["MemoryBlobStore", "MemoryIndex", "digest_of"]

K = TypeVar("K")
V = TypeVar("V")


def digest_of(data: bytes) -> Digest:
    """The sha256 digest of ``data``."""
    return Digest("sha256", sha256(data).hexdigest())


@implementer(IBlobStore)
class MemoryBlobStore:
    """An ``IBlobStore`` whose bytes a test may change: ``content[digest] = b"rotten"``."""

    def __init__(self) -> None:
        self.content: dict[Digest, bytes] = {}

    def open(self, digest: Digest) -> Deferred[FileSlice | None]:
        data = self.content.get(digest)
        if data is None:
            return succeed(None)
        fd = os.memfd_create(str(digest))
        os.pwrite(fd, data, 0)
        return succeed(FileSlice(fd, 0, len(data)))

    def read(self, digest: Digest) -> Deferred[bytes | None]:
        return succeed(self.content.get(digest))

    def put(self, digest: Digest, data: bytes) -> Deferred[None]:
        self.content[digest] = data
        return succeed(None)

    def remove(self, digest: Digest) -> Deferred[None]:
        self.content.pop(digest, None)
        return succeed(None)

    async def all(self) -> AsyncIterator[tuple[Digest, int]]:
        for digest, data in sorted(self.content.items(), key=lambda pair: str(pair[0])):
            yield digest, len(data)

    def verify(self, digest: Digest) -> Deferred[bool]:
        data = self.content.get(digest)
        return succeed(data is not None and digest_of(data) == digest)


@implementer(IIndex)
class MemoryIndex:
    """An ``IIndex`` in dicts."""

    def __init__(self) -> None:
        self._tags: dict[tuple[Repository, str, str], TagEntry] = {}
        self._links: dict[tuple[Repository, Digest], Link] = {}
        self._publicity: dict[Repository, Publicity] = {}
        self._listings: dict[tuple[Repository, str], Listing] = {}
        self._blobs: dict[Digest, BlobRow] = {}
        self._pins: dict[tuple[Repository, str], None] = {}

    def tag(self, repository: Repository, tag: str) -> Deferred[tuple[TagEntry, ...]]:
        found = (
            e for (where, name, _), e in self._tags.items() if (where, name) == (repository, tag)
        )
        return succeed(tuple(found))

    def put_tag(self, entry: TagEntry) -> Deferred[None]:
        return _put(self._tags, (entry.repository, entry.tag, entry.variant), entry)

    def drop_tag(self, repository: Repository, tag: str) -> Deferred[None]:
        gone = [key for key in self._tags if key[:2] == (repository, tag)]
        return _drop(self._tags, gone)

    def link(self, repository: Repository, digest: Digest) -> Deferred[Link | None]:
        return succeed(self._links.get((repository, digest)))

    def put_link(self, link: Link) -> Deferred[None]:
        return _put(self._links, (link.repository, link.digest), link)

    def drop_link(self, repository: Repository, digest: Digest) -> Deferred[None]:
        return _drop(self._links, [(repository, digest)])

    def publicity(self, repository: Repository) -> Deferred[Publicity | None]:
        return succeed(self._publicity.get(repository))

    def put_publicity(self, repository: Repository, publicity: Publicity) -> Deferred[None]:
        return _put(self._publicity, repository, publicity)

    def listing(self, repository: Repository, key: str) -> Deferred[Listing | None]:
        return succeed(self._listings.get((repository, key)))

    def put_listing(self, listing: Listing) -> Deferred[None]:
        return _put(self._listings, (listing.repository, listing.key), listing)

    def blob(self, digest: Digest) -> Deferred[BlobRow | None]:
        return succeed(self._blobs.get(digest))

    def put_blob(self, row: BlobRow) -> Deferred[None]:
        return _put(self._blobs, row.digest, row)

    def drop_blob(self, digest: Digest) -> Deferred[None]:
        _drop(self._tags, [key for key, entry in self._tags.items() if entry.digest == digest])
        _drop(self._links, [key for key in self._links if key[1] == digest])
        return _drop(self._blobs, [digest])

    def touch(self, digests: Iterable[Digest], now: float) -> Deferred[None]:
        for digest in digests:
            row = self._blobs.get(digest)
            if row is not None:
                self._blobs[digest] = evolve(row, accessed=max(row.accessed, now))
        return succeed(None)

    def pin(self, repository: Repository, reference: str, is_pinned: bool) -> Deferred[None]:
        if is_pinned:
            return _put(self._pins, (repository, reference), None)
        return _drop(self._pins, [(repository, reference)])

    def pins(self) -> Deferred[tuple[tuple[Repository, str], ...]]:
        return succeed(tuple(self._pins))

    def repositories(self) -> Deferred[tuple[Repository, ...]]:
        found = [entry.repository for entry in self._tags.values()]
        found += [link.repository for link in self._links.values()]
        found += [listing.repository for listing in self._listings.values()]
        return succeed(tuple(dict.fromkeys(found)))

    def tags(self, repository: Repository) -> Deferred[tuple[TagEntry, ...]]:
        return succeed(tuple(e for e in self._tags.values() if e.repository == repository))

    def links(self, repository: Repository) -> Deferred[tuple[Link, ...]]:
        return succeed(
            tuple(link for link in self._links.values() if link.repository == repository)
        )

    def linked_from(self, digest: Digest) -> Deferred[tuple[Repository, ...]]:
        return succeed(tuple(where for where, what in self._links if what == digest))

    def least_recent(self, limit: int) -> Deferred[tuple[BlobRow, ...]]:
        rows = sorted(self._blobs.values(), key=lambda row: (row.accessed, str(row.digest)))
        return succeed(tuple(rows[:limit]))

    def total(self) -> Deferred[tuple[int, int]]:
        return succeed((len(self._blobs), sum(row.size for row in self._blobs.values())))


def _put(table: dict[K, V], key: K, value: V) -> Deferred[None]:
    table[key] = value
    return succeed(None)


def _drop(table: dict[K, V], keys: Iterable[K]) -> Deferred[None]:
    for key in keys:
        table.pop(key, None)
    return succeed(None)
