"""A partial blob on the disk: a sparse file, and beside it a record of its pieces.

What the record names has been synced before it was written, so after a crash that is there and
right; all else is fetched again. All of it blocks, and raises ``OSError``.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress

from hubmirror.cache.files import Files, unlink_if_there, write_file
from hubmirror.cache.layout import Layout
from hubmirror.cache.pieces import Pieces
from hubmirror.cache.record import PiecesRecord
from hubmirror.naming import Digest

__all__ = ["PartialFile", "drop", "recorded"]


class PartialFile:
    """The open file of one partial blob, of which one thread at a time changes the names."""

    def __init__(self, layout: Layout, files: Files, digest: Digest, fd: int) -> None:
        self.fd = fd
        self._layout = layout
        self._files = files
        self._digest = digest
        self._is_lost = False

    @classmethod
    def open(
        cls, layout: Layout, files: Files, digest: Digest, size: int, validator: str | None
    ) -> tuple[PartialFile, Pieces]:
        """The file, and what is there; pieces of another size or validator are thrown away."""
        path = layout.data(digest)
        record = recorded(layout, digest)
        if record is not None and (record.size, record.validator) == (size, validator):
            return cls(layout, files, digest, files.open(path, os.O_RDWR)), record.pieces
        drop(layout, files, digest)
        file = cls(layout, files, digest, files.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        try:
            files.truncate(file.fd, size)
        except OSError:
            file.close()
            raise
        return file, Pieces(size)

    def write(self, data: memoryview, offset: int) -> None:
        """Into the page cache: never waits for the disk while memory is free."""
        self._files.pwrite(self.fd, data, offset)

    def save(self, record: PiecesRecord) -> None:
        """Sync the data, and then say so."""
        temporary = self._layout.temporary()
        write_file(self._files, temporary, record.to_bytes())
        try:
            self._sync(self._files.fdatasync)
            self._files.rename(temporary, self._layout.record(self._digest))
            self._files.fsync_folder(self._layout.partial)
        except OSError:
            with suppress(OSError):
                unlink_if_there(self._files, temporary)
            raise

    def keep(self) -> None:
        """Make the data, which is whole and right, a blob."""
        self._sync(self._files.fsync)
        blob = self._layout.blob(self._digest)
        self._files.rename(self._layout.data(self._digest), blob)
        self._files.fsync_folder(blob.parent)
        drop(self._layout, self._files, self._digest)

    def close(self) -> None:
        self._files.close(self.fd)

    def drop(self) -> None:
        """Throw away what is there; the open file can still be read."""
        drop(self._layout, self._files, self._digest)

    def _sync(self, sync: Callable[[int], None]) -> None:
        """A sync that failed is not tried again: the kernel has forgotten what it could not

        write, and would say yes the second time.
        """
        if self._is_lost:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._is_lost = True
        sync(self.fd)
        self._is_lost = False


def drop(layout: Layout, files: Files, digest: Digest) -> None:
    """Throw away what is kept of a partial blob.

    Durably: a crash must not bring an old record back beside new data, nor old data beside a new
    record: they know nothing of each other.
    """
    had_data = unlink_if_there(files, layout.data(digest))
    had_record = unlink_if_there(files, layout.record(digest))
    if had_data or had_record:
        files.fsync_folder(layout.partial)


def recorded(layout: Layout, digest: Digest) -> PiecesRecord | None:
    """The record of a partial blob, if it is whole and speaks of the file beside it."""
    try:
        record = PiecesRecord.parse(layout.record(digest).read_bytes())
        size = layout.data(digest).stat().st_size
    except FileNotFoundError:
        return None
    if record is None or record.digest != digest or record.size != size:
        return None
    return record
