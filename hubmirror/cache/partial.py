"""Blobs that are not whole yet, kept over restarts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from zope.interface import implementer

from hubmirror.cache.errors import StoreFailed, store_errors
from hubmirror.cache.files import chunks
from hubmirror.cache.interfaces import IPartial
from hubmirror.cache.partial_file import PartialFile
from hubmirror.cache.pieces import Pieces
from hubmirror.cache.record import PiecesRecord
from hubmirror.cache.threads import Threads, shielded
from hubmirror.naming import Digest

__all__ = ["Partial"]

#: Told that a partial has ended, and what is still to be done for that.
Ended = Callable[[Digest, Coroutine[Any, Any, None]], object]


@implementer(IPartial)
class Partial:
    """An ``IPartial``; ``PartialStore.open`` makes them.

    It ends by ``close`` or by ``discard``, whichever comes first, also after a ``commit``; its
    file is closed then, as soon as no thread uses it. What is under way when a caller cancels
    goes on to its end.
    """

    _log = Logger()

    def __init__(
        self,
        record: PiecesRecord,
        file: PartialFile,
        disk: Threads,
        hashing: Threads,
        ended: Ended,
    ) -> None:
        self.digest = record.digest
        self.size = record.size
        self.validator = record.validator
        self._pieces = record.pieces
        self._file = file
        self._disk = disk
        self._hashing = hashing
        self._ended = ended
        self._hash = hashlib.new(self.digest.algorithm)
        self._hashed = 0
        self._saved = self._pieces.total
        #: Who hashes, and who changes what is on the disk: one at a time. Both at the end.
        self._hash_turn = DeferredLock()
        self._disk_turn = DeferredLock()
        self._is_kept_as_partial = True
        self._is_over = False

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """See ``IPartial``."""
        return self._pieces.missing(start, end)

    def available(self, start: int) -> int:
        """See ``IPartial``."""
        return self._pieces.available(start)

    def write(self, offset: int, data: bytes) -> None:
        """See ``IPartial``.

        Bytes that are there already stay as they are: they may have been hashed and sent. Raises
        ``ValueError`` for bytes outside the blob, ``RuntimeError`` after the end.
        """
        if self._is_over or not self._is_kept_as_partial:
            raise RuntimeError(f"the partial of {self.digest} has ended")
        view = memoryview(data)
        with store_errors():
            for start, end in self._pieces.missing(offset, offset + len(data)):
                self._file.write(view[start - offset : end - offset], start)
                self._pieces.add(start, end)

    def fileno(self) -> int:
        """See ``IPartial``."""
        return self._file.fd

    def digest_of_prefix(self) -> Deferred[int]:
        """See ``IPartial``. Fails with ``StoreFailed`` when the file can't be read."""
        return shielded(Deferred.fromCoroutine(self._hash_on()))

    def save(self) -> Deferred[None]:
        """See ``IPartial``. Calls that come while one is under way share the next.

        Fails with ``StoreFull`` or ``StoreFailed``.
        """
        return shielded(self._disk_turn.run(Deferred.fromCoroutine, self._save()))

    def commit(self) -> Deferred[bool]:
        """See ``IPartial``. Its file can be read until it is closed.

        Fails with ``ValueError`` when pieces are missing, and with ``StoreFull`` or
        ``StoreFailed`` when the disk fails, or the end came first.
        """
        return shielded(Deferred.fromCoroutine(self._commit()))

    def discard(self) -> None:
        """See ``IPartial``. This is its end."""
        self._end(self._drop)

    def close(self) -> None:
        """See ``IPartial``. What came since the last ``save`` is saved, too."""
        self._end(self._save)

    async def _hash_on(self) -> int:
        async with self._hash_turn:
            if not self._is_over:
                await self._hashing.run(self._hash_to, self._pieces.available(0))
            return self._hashed

    def _hash_to(self, end: int) -> None:
        for chunk in chunks(self._file.fd, self._hashed, end):
            if self._is_over:
                return
            self._hash.update(chunk)
            self._hashed += len(chunk)
        if self._hashed < end:
            raise StoreFailed("the disk failed: a partial file has shrunk")

    async def _save(self) -> None:
        total = self._pieces.total  # pieces only grow: as many bytes are the same bytes
        if total > self._saved and self._is_kept_as_partial:
            pieces = Pieces(self.size, self._pieces)
            record = PiecesRecord(self.digest, self.size, self.validator, pieces)
            await self._disk.run(self._file.save, record)
            self._saved = total

    async def _commit(self) -> bool:
        if not self._pieces.is_whole:
            raise ValueError("a blob of which pieces are missing can't be committed")
        await self._hash_on()
        async with self._disk_turn:
            if self._hashed < self.size or not self._is_kept_as_partial:
                raise StoreFailed("the partial has ended")
            is_right = self._hash.hexdigest() == self.digest.encoded
            if is_right:
                await self._disk.run(self._file.keep)
            else:
                await self._settle(self._drop)
            self._is_kept_as_partial = False
            return is_right

    async def _drop(self) -> None:
        self._pieces = Pieces(self.size)
        await self._disk.run(self._file.drop)

    def _end(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if not self._is_over:
            self._is_over = True
            self._ended(self.digest, self._finish(last))

    async def _finish(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with self._hash_turn, self._disk_turn:
            if self._is_kept_as_partial:
                await self._settle(last)
            self._is_kept_as_partial = False
            await self._disk.run(self._file.close)

    async def _settle(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do what nobody waits for: its failure costs a second fetch, and is told in the log."""
        try:
            await work()
        except StoreFailed as error:
            self._log.warn(
                "the pieces of {digest} could not be settled: {error}",
                digest=self.digest,
                error=str(error),
            )
