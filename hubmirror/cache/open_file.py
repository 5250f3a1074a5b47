"""A file that threads read and write, and that outlives each of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred

from hubmirror.cache.threads import shielded
from hubmirror.errors import HubmirrorError

__all__ = ["FileError", "InThread", "OpenFile"]

#: What ``chunks`` reads in one go.
_CHUNK: Final = 1 << 20

P = ParamSpec("P")
T = TypeVar("T")


class InThread(Protocol):
    """Runs blocking work elsewhere: ``Threads.run``."""

    def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]: ...


class FileError(HubmirrorError):
    """A file that somebody named can't be read or written; the message is the reason."""


class OpenFile:
    """A descriptor that is closed as soon as, after ``close``, no thread uses it.

    Closed under a thread's hands its number could come to name another file.
    """

    def __init__(self, fd: int, in_thread: InThread) -> None:
        self._fd = fd
        self._in_thread = in_thread
        self._users = 0
        self._is_over = False

    def read(self, size: int, position: int) -> Deferred[bytes]:
        """Up to ``size`` bytes from there; fails with ``FileError``."""
        return self.run(os.pread, size, position)

    async def chunks(self, start: int, length: int) -> AsyncIterator[bytes]:
        """The bytes of a part, a MiB at a time; fewer where the file ends before."""
        position, end = start, start + length
        while position < end and (data := await self.read(min(_CHUNK, end - position), position)):
            yield data
            position += len(data)

    def write(self, data: bytes, hashed: Any = None) -> Deferred[None]:
        """Write at the file's own position, and put ``data`` into a hash; fails as ``read``."""
        return self.run(_write, data, hashed)

    def run(
        self, work: Callable[Concatenate[int, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """``work`` with the descriptor, in a thread; to cancel ends the waiting alone.

        Its ``OSError`` becomes ``FileError``.
        """

        def translated() -> T:
            try:
                return work(self._fd, *args, **kwargs)
            except OSError as error:
                raise FileError(error.strerror or str(error)) from error

        self._users += 1
        return shielded(self._in_thread(translated).addBoth(self._left))

    def close(self) -> None:
        """No more use of it will begin."""
        self._is_over = True
        self._close_if_unused()

    def _left(self, result: T) -> T:
        self._users -= 1
        if self._is_over:
            self._close_if_unused()
        return result

    def _close_if_unused(self) -> None:
        if not self._users and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _write(fd: int, data: bytes, hashed: Any) -> None:
    if hashed is not None:
        hashed.update(data)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
