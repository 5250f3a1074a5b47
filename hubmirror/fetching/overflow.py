"""The rest of a blob for one reader, past a disk that takes no more: a window in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import cast

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer, IProducer, IPushProducer, IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from hubmirror.errors import HubmirrorError, UpstreamFailure
from hubmirror.fetching.limits import FetchLimits
from hubmirror.fetching.pauses import pause_after
from hubmirror.fetching.plan import Span
from hubmirror.upstream.blobs import IRemoteBlob

__all__ = ["Overflow"]


@implementer(IConsumer)
class Overflow:
    """Streams ``span`` of a blob of ``size`` bytes from ``remote``, as its one reader takes it.

    ``fd`` is a file in memory that holds what came since the reader last waited, each byte in
    its place. Nobody verifies these bytes: the first of them may have come long before, and the
    client has the digest, too. Raises ``OSError`` where there is no such file.
    """

    def __init__(
        self,
        remote: IRemoteBlob,
        span: Span,
        *,
        size: int,
        validator: str | None,
        clock: IReactorTime,
        limits: FetchLimits,
        random: Callable[[], float],
    ) -> None:
        self.fd = os.memfd_create("hubmirror")
        self._remote = remote
        self._known = (size, validator)
        self._end = span[1]
        self._clock = clock
        self._limits = limits
        self._random = random
        self._base = self._written = self._incoming = span[0]
        self._failure: Exception | None = None
        self._waiting: Deferred[None] | None = None
        self._producer: IPushProducer | None = None
        self._work = Deferred.fromCoroutine(self._stream())
        self._work.addErrback(lambda failure: failure.trap(CancelledError))

    def available(self, offset: int) -> int:
        """How many bytes there are from ``offset`` on."""
        return max(0, self._written - offset) if self._base <= offset else 0

    def wait(self, offset: int) -> Deferred[None]:
        """Fires when there are some. All before ``offset`` has been read, and is forgotten."""
        if self.available(offset) > 0:
            return succeed(None)
        if self._failure is not None:
            return fail(self._failure)
        self._base = offset
        os.ftruncate(self.fd, 0)
        waiting: Deferred[None] = Deferred(self._gave_up)
        self._waiting = waiting
        if self._producer is not None:
            self._producer.resumeProducing()
        return waiting

    def close(self) -> None:
        """The reader is gone; ``fd`` is its to close."""
        self._waiting = None
        self._work.cancel()

    # What the answer's body calls.

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:  # noqa: ARG002
        self._producer = cast(IPushProducer, producer)

    def unregisterProducer(self) -> None:
        self._producer = None

    def write(self, data: bytes) -> None:
        """Take what is new of ``data``: a host without ranges sends the front again."""
        new = data[max(0, self._written - self._incoming) :]
        self._incoming += len(data)
        if new:
            os.pwrite(self.fd, new, self._written)
            self._written += len(new)
        if self._written - self._base >= self._limits.window and self._producer is not None:
            self._producer.pauseProducing()
        self._wake()

    async def _stream(self) -> None:
        failures = 0
        while self._written < self._end:
            before = self._written
            try:
                await self._ask()
            except UpstreamFailure as error:
                failures = 1 if self._written > before else failures + 1
                if failures >= self._limits.attempts:
                    self._fail(error)
                    return
                await deferLater(
                    self._clock, pause_after(failures, error, self._limits, self._random())
                )
            except HubmirrorError:
                self._fail(UpstreamFailure("the upstream refused the rest of a blob"))
                return

    async def _ask(self) -> None:
        size, validator = self._known
        part = await self._remote.open(self._written, self._end, size=size, validator=validator)
        self._incoming = part.start
        await part.body.send_to(self)
        if self._written < self._end:
            raise UpstreamFailure("the blob host sent fewer bytes than it promised")

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        if self._written > self._base:
            waiting.callback(None)
        elif self._failure is not None:
            waiting.errback(self._failure)
        else:
            self._waiting = waiting

    def _gave_up(self, _waiting: Deferred[None]) -> None:
        self._waiting = None
