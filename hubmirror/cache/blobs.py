"""Whole blobs, in files named by their digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from hubmirror.cache.files import Files, chunks, unlink_if_there, write_file
from hubmirror.cache.interfaces import IBlobStore
from hubmirror.cache.layout import ALGORITHMS, TEMPORARY, Layout, digest_of
from hubmirror.cache.threads import Threads, shielded
from hubmirror.naming import Digest
from hubmirror.question import FileSlice

__all__ = ["FileBlobStore"]

#: Of how many blobs ``all`` asks the sizes in one go.
_BATCH: Final = 1000


@implementer(IBlobStore)
class FileBlobStore:
    """An ``IBlobStore`` in a folder that is an OCI image layout but for its ``index.json``.

    Threads of ``disk`` wait for the disk, those of ``hashing`` read and hash. ``sweep`` comes
    before all else. All but ``all`` and ``verify`` fail with ``StoreFull`` or ``StoreFailed``
    when the disk does.
    """

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

    def sweep(self) -> Deferred[None]:
        """Make the folders where they are missing, and remove what a crash left half written."""
        return shielded(self._disk.run(self._swept))

    def open(self, digest: Digest) -> Deferred[FileSlice | None]:
        """See ``IBlobStore``."""
        return shielded(self._disk.run(_open, self._layout.blob(digest)), unwanted=_close)

    def read(self, digest: Digest) -> Deferred[bytes | None]:
        """See ``IBlobStore``."""
        return shielded(self._disk.run(_read, self._layout.blob(digest)))

    def put(self, digest: Digest, data: bytes) -> Deferred[None]:
        """See ``IBlobStore``."""
        return shielded(self._disk.run(self._put, self._layout.blob(digest), data))

    def remove(self, digest: Digest) -> Deferred[None]:
        """See ``IBlobStore``. Durable when it fires: what was found rotten does not come back."""
        return shielded(self._disk.run(self._remove, self._layout.blob(digest)))

    async def all(self) -> AsyncIterator[tuple[Digest, int]]:
        """See ``IBlobStore``. In the order of their names; without what comes meanwhile."""
        for algorithm in ALGORITHMS:
            names = await self._disk.run(_names, self._layout.blobs(algorithm))
            digests = [d for name in names if (d := digest_of(f"{algorithm}-{name}"))]
            for start in range(0, len(digests), _BATCH):
                for row in await self._disk.run(self._sizes, digests[start : start + _BATCH]):
                    yield row

    def verify(self, digest: Digest) -> Deferred[bool]:
        """See ``IBlobStore``. False, too, where it is missing or can't be read."""
        return shielded(self._hashing.run(_is_right, self._layout.blob(digest), digest))

    def _swept(self) -> None:
        self._layout.prepare(self._files)
        for name in _names(self._layout.partial):
            if name.endswith(TEMPORARY):
                self._files.unlink(self._layout.partial / name)

    def _put(self, path: Path, data: bytes) -> None:
        temporary = self._layout.temporary()
        write_file(self._files, temporary, data)
        try:
            self._files.rename(temporary, path)
            self._files.fsync_folder(path.parent)
        except OSError:
            with suppress(OSError):
                unlink_if_there(self._files, temporary)
            raise

    def _remove(self, path: Path) -> None:
        if unlink_if_there(self._files, path):
            self._files.fsync_folder(path.parent)

    def _sizes(self, digests: Iterable[Digest]) -> list[tuple[Digest, int]]:
        rows: list[tuple[Digest, int]] = []
        for digest in digests:
            with suppress(FileNotFoundError):
                rows.append((digest, self._layout.blob(digest).stat().st_size))
        return rows


def _open(path: Path) -> FileSlice | None:
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    return FileSlice(fd, 0, os.fstat(fd).st_size)


def _close(opened: FileSlice | None) -> None:
    if opened is not None:
        opened.close()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def _is_right(path: Path, digest: Digest) -> bool:
    hashed = hashlib.new(digest.algorithm)
    try:
        with path.open("rb", buffering=0) as file:
            for chunk in chunks(file.fileno(), 0, os.fstat(file.fileno()).st_size):
                hashed.update(chunk)
    except OSError:
        return False
    return hashed.hexdigest() == digest.encoded
