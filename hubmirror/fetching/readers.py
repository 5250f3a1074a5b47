"""Those who read a blob while it is fetched."""

from __future__ import annotations

import os
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from zope.interface import implementer

from hubmirror.fetching.failures import StoreLost
from hubmirror.fetching.overflow import Overflow
from hubmirror.fetching.plan import Span
from hubmirror.question import IGrowingFile
from hubmirror.upstream.blobs import IRemoteBlob

__all__ = ["Reader"]


class _Source(Protocol):
    """What a reader sees of its fetch."""

    failure: Exception | None

    def available(self, offset: int) -> int:
        """How many bytes from ``offset`` on may be read now."""

    def hurry(self) -> None:
        """Somebody waits for bytes."""

    def past_the_store(self, remote: IRemoteBlob, span: Span) -> Overflow:
        """The way on for a reader after ``StoreLost``."""

    def leave(self, reader: Reader) -> None:
        """``reader`` is gone."""


@implementer(IGrowingFile)
class Reader:
    """One reader of a fetch. ``fd`` is its own; ``remote`` is how it could ask by itself.

    ``position`` is where it was seen last, ``end`` how far it is going to read. When the disk
    takes no more it goes on by itself, with another ``fd``: at a wait, when nothing of the old
    one is still to be read.
    """

    def __init__(
        self, source: _Source, remote: IRemoteBlob, fd: int, size: int, span: Span
    ) -> None:
        self.remote = remote
        self.fd = fd
        self.size = size
        self.position, self.end = span
        self._source = source
        self._waiting: Deferred[None] | None = None
        self._overflow: Overflow | None = None
        self._is_closed = False

    @property
    def wants(self) -> Span:
        """What it has yet to read: at least the byte that it may be waiting for."""
        return self.position, min(max(self.position + 1, self.end), self.size)

    def available(self, offset: int) -> int:
        """See ``IGrowingFile``."""
        self.position = offset
        if self._overflow is not None:
            return self._overflow.available(offset)
        return self._source.available(offset)

    def wait(self, offset: int) -> Deferred[None]:
        """See ``IGrowingFile``. One wait at a time."""
        self.position = offset
        if self._is_closed:
            return fail(CancelledError())
        if self._source.failure is not None:
            return self._wait_on(offset, self._source.failure)
        if self._source.available(offset) > 0:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._gave_up)
        self._waiting = waiting
        self._source.hurry()
        return waiting

    def close(self) -> None:
        """See ``IGrowingFile``. Without effect the second time."""
        if self._is_closed:
            return
        self._is_closed = True
        os.close(self.fd)
        if self._overflow is not None:
            self._overflow.close()
        if self._waiting is not None:
            self._waiting.cancel()
        self._source.leave(self)

    def wake(self) -> None:
        """Something has changed: end the wait where there is nothing to wait for any more."""
        if self._waiting is None:
            return
        failure = self._source.failure
        if failure is None and self._source.available(self.position) == 0:
            return
        waiting, self._waiting = self._waiting, None
        if failure is not None:
            self._wait_on(self.position, failure).chainDeferred(waiting)
        else:
            waiting.callback(None)

    def _wait_on(self, offset: int, failure: Exception) -> Deferred[None]:
        """After the end of the fetch: without the disk, if it was for want of that."""
        if not isinstance(failure, StoreLost):
            return fail(failure)
        if self._overflow is None:
            try:
                overflow = self._source.past_the_store(self.remote, self._span_from(offset))
            except (OSError, AttributeError):  # no file in memory: too many are open, or no Linux
                return fail(failure)
            os.close(self.fd)
            self.fd, self._overflow = overflow.fd, overflow
        return self._overflow.wait(offset)

    def _span_from(self, offset: int) -> Span:
        return offset, self.end if offset < self.end else self.size

    def _gave_up(self, _waiting: Deferred[None]) -> None:
        self._waiting = None
