"""Reading files for a body: what is in memory at once, all else in a thread."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred, succeed

from hubmirror.transport.files import ReadInThread

__all__ = ["cached_first"]


def cached_first(in_thread: ReadInThread) -> ReadInThread:
    """``in_thread``, but for pages that the kernel has: reading those costs less than a thread.

    The first and the last byte are asked for with ``RWF_NOWAIT`` (preadv2(2)): a chunk that was
    just written, or read ahead, is cached as a whole.
    """

    def read(fd: int, size: int, offset: int) -> Deferred[bytes]:
        if _is_cached(fd, offset) and _is_cached(fd, offset + size - 1):
            return succeed(os.pread(fd, size, offset))
        return in_thread(fd, size, offset)

    return read


def _is_cached(fd: int, offset: int) -> bool:
    try:
        return os.preadv(fd, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
    except OSError:  # it would block, or the filesystem can't tell
        return False
