"""Partial blobs by digest, kept over restarts in files."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from hubmirror.cache.files import Files
from hubmirror.cache.interfaces import IPartial, IPartialStore
from hubmirror.cache.layout import DATA, Layout, digest_of
from hubmirror.cache.partial import Partial
from hubmirror.cache.partial_file import PartialFile, drop, recorded
from hubmirror.cache.record import PiecesRecord
from hubmirror.cache.threads import Threads, shielded
from hubmirror.naming import Digest

__all__ = ["PartialRow", "PartialStore"]

#: What a file's offsets can say.
_MAX_SIZE: Final = (1 << 63) - 1


@frozen
class PartialRow:
    """A partial blob on the disk: the bytes that it takes there, and when it was last written.

    ``changed`` is in seconds since the epoch, by the filesystem's clock.
    """

    digest: Digest
    size: int
    changed: float


@implementer(IPartialStore)
class PartialStore:
    """An ``IPartialStore`` beside the blobs of ``FileBlobStore`` in the same ``folder``.

    ``FileBlobStore.sweep``, which makes the folders, and then ``sweep`` come before all else.
    Methods fail with ``StoreFull`` or ``StoreFailed`` when the disk does.
    """

    _log = Logger()

    def __init__(
        self,
        folder: Path,
        files: Files,
        reactor: IReactorFromThreads,
        disk: ThreadPool,
        hashing: ThreadPool,
    ) -> None:
        self._layout = Layout(folder)
        self._files = files
        self._disk = Threads(reactor, disk)
        self._hashing = Threads(reactor, hashing)
        self._opened: set[Digest] = set()
        #: What ends, or is being removed: held until its files are left alone.
        self._ending: dict[Digest, DeferredLock] = {}

    def sweep(self) -> Deferred[None]:
        """Remove what is of no use: records without data and data without records, what is

        torn or foreign, and the pieces of blobs that are whole by now.
        """
        return shielded(self._disk.run(self._swept))

    def open(self, digest: Digest, size: int, validator: str | None) -> Deferred[IPartial]:
        """See ``IPartialStore``; waits for an earlier partial of ``digest`` to finish its end.

        Fails with ``RuntimeError`` while another is open, and with ``ValueError`` for a size that
        no file has.
        """
        opened = Deferred.fromCoroutine(self._open(digest, size, validator))
        return shielded(opened, unwanted=lambda partial: partial.close())

    def gap(self, digest: Digest, start: int) -> Deferred[tuple[int, int] | None]:
        """See ``IPartialStore``; waits for an earlier partial of ``digest`` to finish its end."""
        return shielded(Deferred.fromCoroutine(self._gap(digest, start)))

    def all(self) -> Deferred[list[PartialRow]]:
        """Every partial blob, in the order of their digests; those that are open, too."""
        return shielded(self._disk.run(self._rows))

    def total(self) -> Deferred[int]:
        """The bytes that they take on the disk."""
        return self.all().addCallback(lambda rows: sum(row.size for row in rows))

    def remove(self, digest: Digest) -> Deferred[None]:
        """Throw away what is kept of ``digest``, unless it is open."""
        return shielded(Deferred.fromCoroutine(self._remove(digest)))

    def settled(self) -> Deferred[None]:
        """Fires once all that was closed or discarded before has reached the disk."""
        return shielded(Deferred.fromCoroutine(self._settled(*self._ending)))

    async def _open(self, digest: Digest, size: int, validator: str | None) -> IPartial:
        if not 0 <= size <= _MAX_SIZE:
            raise ValueError("no blob has that size")
        if digest in self._opened:
            raise RuntimeError(f"the partial of {digest} is open already")
        self._opened.add(digest)
        try:
            await self._settled(digest)
            where = (self._layout, self._files, digest)
            file, pieces = await self._disk.run(PartialFile.open, *where, size, validator)
        except BaseException:
            self._opened.discard(digest)
            raise
        record = PiecesRecord(digest, size, validator, pieces)
        return Partial(record, file, self._disk, self._hashing, self._ended)

    async def _gap(self, digest: Digest, start: int) -> tuple[int, int] | None:
        await self._settled(digest)
        record = await self._disk.run(recorded, self._layout, digest)
        if record is None:
            return None
        gaps = record.pieces.missing(min(start, record.size), record.size)
        gaps = gaps or record.pieces.missing(0, record.size)
        return gaps[0] if gaps else None

    def _ended(self, digest: Digest, work: Coroutine[Any, Any, None]) -> None:
        self._opened.discard(digest)
        self._hold(digest, work).addErrback(
            lambda reason: self._log.failure("a partial blob's end failed", reason)
        )

    async def _remove(self, digest: Digest) -> None:
        await self._settled(digest)
        if digest not in self._opened:
            await self._hold(digest, self._dropped(digest))

    async def _dropped(self, digest: Digest) -> None:
        await self._disk.run(drop, self._layout, self._files, digest)

    def _hold(self, digest: Digest, work: Coroutine[Any, Any, None]) -> Deferred[None]:
        """Do ``work``, and let who else wants ``digest`` wait for it."""
        turn = self._ending[digest] = DeferredLock()
        return turn.run(Deferred.fromCoroutine, self._released(digest, work))

    async def _released(self, digest: Digest, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            del self._ending[digest]

    async def _settled(self, *digests: Digest) -> None:
        for digest in digests:
            while (turn := self._ending.get(digest)) is not None:
                await turn.run(lambda: None)

    def _swept(self) -> None:
        with os.scandir(self._layout.partial) as entries:
            names = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
        digests = {digest_of(Path(name).stem) for name in names} - {None}
        useful = {path.name for digest in digests if digest for path in self._useful(digest)}
        for name in names:
            if name not in useful:
                self._files.unlink(self._layout.partial / name)
        self._files.fsync_folder(self._layout.partial)

    def _useful(self, digest: Digest) -> tuple[Path, ...]:
        if self._layout.blob(digest).exists() or recorded(self._layout, digest) is None:
            return ()
        return self._layout.record(digest), self._layout.data(digest)

    def _rows(self) -> list[PartialRow]:
        rows: list[PartialRow] = []
        for name in sorted(os.listdir(self._layout.partial)):
            digest = digest_of(Path(name).stem) if name.endswith(DATA) else None
            if digest is not None and (row := self._row(digest)) is not None:
                rows.append(row)
        return rows

    def _row(self, digest: Digest) -> PartialRow | None:
        try:
            data = self._layout.data(digest).stat()
        except FileNotFoundError:
            return None
        return PartialRow(digest, data.st_blocks * 512, data.st_mtime)
