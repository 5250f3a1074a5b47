"""A disk that refuses."""

from __future__ import annotations

import os
from pathlib import Path

from hubmirror.cache.files import Files

__all__ = ["BrokenFiles"]


class BrokenFiles(Files):
    """Files of which the operations named in ``errors`` fail with that ``errno``."""

    def __init__(self) -> None:
        self.errors: dict[str, int] = {}

    def open(self, path: Path, flags: int) -> int:
        self._fail("open")
        return super().open(path, flags)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> None:
        self._fail("pwrite")
        super().pwrite(fd, data, offset)

    def truncate(self, fd: int, size: int) -> None:
        self._fail("truncate")
        super().truncate(fd, size)

    def fsync(self, fd: int) -> None:
        self._fail("fsync")
        super().fsync(fd)

    def fdatasync(self, fd: int) -> None:
        self._fail("fdatasync")
        super().fdatasync(fd)

    def rename(self, source: Path, target: Path) -> None:
        self._fail("rename")
        super().rename(source, target)

    def unlink(self, path: Path) -> None:
        self._fail("unlink")
        super().unlink(path)

    def fsync_folder(self, path: Path) -> None:
        self._fail("fsync_folder")
        super().fsync_folder(path)

    def _fail(self, name: str) -> None:
        if name in self.errors:
            raise OSError(self.errors[name], os.strerror(self.errors[name]))
