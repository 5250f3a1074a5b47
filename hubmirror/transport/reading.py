"""Reading files for a body: what is in memory at once, all else in a thread."""

from __future__ import annotations

import os
from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

__all__ = ["FileReader", "ReadInThread"]

#: ``pread`` in a thread: descriptor, size, offset.
ReadInThread = Callable[[int, int, int], Deferred[bytes]]


@frozen
class FileReader:
    """Reads what the kernel has in memory here, as that costs less than a thread's turn."""

    _in_thread: ReadInThread

    def read(self, fd: int, size: int, offset: int) -> Deferred[bytes]:
        """So many bytes from ``offset`` on; fewer at the file's end."""
        if self.is_cached(fd, size, offset):
            return succeed(os.pread(fd, size, offset))
        return self._in_thread(fd, size, offset)

    def is_cached(self, fd: int, size: int, offset: int) -> bool:
        """Whether the kernel has these bytes in memory: they can be read without a wait.

        The first and the last byte are asked for with ``RWF_NOWAIT`` (preadv2(2)): a chunk that
        was just written, or read ahead, is cached as a whole.
        """
        return _is_cached(fd, offset) and _is_cached(fd, offset + size - 1)


def _is_cached(fd: int, offset: int) -> bool:
    try:
        return os.preadv(fd, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
    except OSError:  # it would block, or the filesystem can't tell
        return False
