"""The file layer: every change to the disk that must outlive a power cut goes through here.

It is thin, one system call a method, so that a test can put a disk beneath the stores that
forgets all that was not synced. Methods raise ``OSError``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["Files", "chunks", "unlink_if_there", "write_file"]

#: What is read and hashed in one go: enough to keep the disk busy, too little to be noticed.
CHUNK: Final = 1 << 20


class Files:
    """The operating system's files, for nobody but the daemon's own user."""

    def open(self, path: Path, flags: int) -> int:
        """A new descriptor; a file that ``flags`` creates is readable by its owner alone."""
        return os.open(path, flags, 0o600)

    def close(self, fd: int) -> None:
        os.close(fd)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> None:
        """Write all of ``data`` at ``offset``."""
        rest = memoryview(data)
        while rest:
            written = os.pwrite(fd, rest, offset)
            rest, offset = rest[written:], offset + written

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def fdatasync(self, fd: int) -> None:
        """As ``fsync``, but for times and modes that no reader needs."""
        os.fdatasync(fd)

    def rename(self, source: Path, target: Path) -> None:
        """In one step; a file that ``target`` was is replaced."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def make_folder(self, path: Path) -> None:
        """Nothing happens if it is there."""
        path.mkdir(mode=0o700, exist_ok=True)

    def fsync_folder(self, path: Path) -> None:
        """Make the folder's entries durable: what was created, renamed or unlinked in it."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def write_file(files: Files, path: Path, data: bytes) -> None:
    """A file that holds ``data`` durably. Its name is not durable before its folder's fsync."""
    fd = files.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        files.pwrite(fd, data, 0)
        files.fsync(fd)
    except OSError:
        with suppress(OSError):
            files.unlink(path)
        raise
    finally:
        files.close(fd)


def unlink_if_there(files: Files, path: Path) -> bool:
    """Whether there was something to unlink."""
    try:
        files.unlink(path)
    except FileNotFoundError:
        return False
    return True


def chunks(fd: int, start: int, end: int) -> Iterator[bytes]:
    """The bytes of [start, end), a MiB at a time; fewer where the file ends before."""
    while start < end and (chunk := os.pread(fd, min(CHUNK, end - start), start)):
        yield chunk
        start += len(chunk)
