"""Partial blobs in memory, before a ``MemoryBlobStore``."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from hubmirror.cache.interfaces import IPartial, IPartialStore
from hubmirror.cache.partials import PartialRow
from hubmirror.cache.pieces import Pieces
from hubmirror.naming import Digest
from tests.cache.memory import MemoryBlobStore, digest_of

__all__ = ["MemoryPartial", "MemoryPartials"]


@implementer(IPartial)
class MemoryPartial:
    """An ``IPartial``."""

    def __init__(self, store: MemoryPartials, digest: Digest, size: int) -> None:
        self.digest, self.size, self.validator = digest, size, None
        self._store = store
        self._pieces = Pieces(size)
        self._data = bytearray(size)

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        return self._pieces.missing(start, end)

    def available(self, start: int) -> int:
        return self._pieces.available(start)

    def write(self, offset: int, data: bytes) -> None:
        self._pieces.add(offset, offset + len(data))
        self._data[offset : offset + len(data)] = data

    def fileno(self) -> int:
        raise NotImplementedError

    def digest_of_prefix(self) -> Deferred[int]:
        return succeed(self._pieces.available(0))

    def save(self) -> Deferred[None]:
        return succeed(None)

    def commit(self) -> Deferred[bool]:
        is_right = digest_of(bytes(self._data)) == self.digest
        if is_right:
            self._store.blobs.content[self.digest] = bytes(self._data)
        return succeed(is_right)

    def discard(self) -> None:
        self.close()

    def close(self) -> None:
        self._store.opened.discard(self.digest)


@implementer(IPartialStore)
class MemoryPartials:
    """An ``IPartialStore``; ``rows`` are partials that nobody has open."""

    def __init__(self, blobs: MemoryBlobStore) -> None:
        self.blobs = blobs
        self.opened: set[Digest] = set()
        self.rows: list[PartialRow] = []

    def open(self, digest: Digest, size: int, validator: str | None) -> Deferred[IPartial]:
        if digest in self.opened:
            raise RuntimeError("open already")
        self.opened.add(digest)
        return succeed(MemoryPartial(self, digest, size))

    def gap(self, digest: Digest, start: int) -> Deferred[tuple[int, int] | None]:
        return succeed(None)

    def all(self) -> Deferred[list[PartialRow]]:
        return succeed(list(self.rows))

    def remove(self, digest: Digest) -> Deferred[None]:
        self.rows = [row for row in self.rows if row.digest != digest]
        return succeed(None)
