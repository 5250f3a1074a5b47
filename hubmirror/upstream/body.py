"""A response's body on its way from the upstream's transport to a consumer."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IProducer,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface import implementer

from hubmirror.errors import UpstreamFailure, UpstreamTimeout
from hubmirror.question import IStream

__all__ = ["EmptyBody", "ResponseBody", "read"]

#: An unwanted body up to this size is read out, so that its connection can serve again; ending
#: a larger one is cheaper.
_SMALL = 16 * 1024


@implementer(IStream)
class EmptyBody:
    """No bytes at all."""

    length: int | None = 0

    def send_to(self, consumer: IConsumer) -> Deferred[None]:  # noqa: ARG002 - nothing to write
        """Fire at once; ``consumer`` is not touched."""
        return succeed(None)

    def discard(self) -> None:
        """There is nothing to end."""


@implementer(IStream)
class ResponseBody:
    """The body of one response: streamed as the consumer takes it, with a limit for stalls.

    ``stall`` is how many seconds may go by between two bytes while the consumer wants them;
    ``host`` names the upstream in errors; ``received`` is told of bytes as they come. Twisted has
    paused the transport at the end of the headers, and it stays so until ``send_to`` or
    ``discard``: one of them must be called. (A body without a byte never needs it: see
    ``EmptyBody``.)
    """

    def __init__(
        self,
        response: IResponse,
        clock: IReactorTime,
        stall: float,
        host: str,
        received: Callable[[int], object],
    ) -> None:
        self._response = response
        self._count = received
        self._clock = clock
        self._stall = stall
        self._host = host
        self._taken = False
        self.length: int | None = None if response.length is UNKNOWN_LENGTH else response.length

    def send_to(self, consumer: IConsumer) -> Deferred[None]:
        """Write the body to ``consumer``; see ``IStream``.

        Fails with ``UpstreamTimeout`` when the upstream stalls, with ``UpstreamFailure`` when
        it breaks off, and with ``CancelledError`` when the consumer stops the producer.
        """
        self._taken = True
        flow = _Flow(consumer, self._clock, self._stall, self._host, self._count)
        return flow.begin(self._response)

    def discard(self) -> None:
        """The body is not wanted, or not wanted any more. Without effect once it is sent."""
        if self._taken:
            return
        if self.length is not None and self.length <= _SMALL:
            self.send_to(_Nowhere()).addTimeout(self._stall, self._clock).addErrback(_ignored)
            return
        self._taken = True
        self._response.deliverBody(_HangUp())


async def read(stream: IStream, limit: int) -> bytes:
    """All of ``stream``, which may have ``limit`` bytes at most.

    Raises ``UpstreamFailure`` when it has more, or when it fails.
    """
    collected = _Collected(limit)
    try:
        await stream.send_to(collected)
    except CancelledError:
        if not collected.overflowed:
            raise
    if collected.overflowed:
        raise UpstreamFailure(f"the upstream's answer is larger than {limit} bytes")
    return b"".join(collected.chunks)


@implementer(IPushProducer)
class _Flow(Protocol):
    """Both ends of one body: the protocol that the response feeds, the producer of the consumer.

    The stall timer is not moved at every chunk: when it fires, it looks how long ago the last
    one came. It sleeps while the consumer has paused.
    """

    def __init__(
        self,
        consumer: IConsumer,
        clock: IReactorTime,
        stall: float,
        host: str,
        count: Callable[[int], object],
    ) -> None:
        self._consumer = consumer
        self._count = count
        self._write = consumer.write
        self._clock = clock
        self._seconds = clock.seconds
        self._stall = stall
        self._host = host
        self._received = 0
        self._last = clock.seconds()
        self._timer: IDelayedCall | None = None
        self._source: IPushProducer | None = None
        self._paused = False
        self._ended = False
        self._sent: Deferred[None] = Deferred(lambda _: self.stopProducing())

    def begin(self, response: IResponse) -> Deferred[None]:
        self._consumer.registerProducer(self, True)
        self._watch()
        response.deliverBody(self)
        if self._paused:  # by the bytes that came with the headers: deliverBody resumed since
            self.pauseProducing()
        return self._sent

    # What the consumer calls, maybe after the end: the source takes no notice of it then.

    def pauseProducing(self) -> None:
        self._paused = True
        if self._source is not None:
            self._source.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        self._last = self._seconds()
        self._watch()
        if self._source is not None:
            self._source.resumeProducing()

    def stopProducing(self) -> None:
        self._end(CancelledError())

    # What the response calls.

    def connectionMade(self) -> None:
        self._source = cast(IPushProducer, self.transport)
        if self._ended:  # the consumer stopped it before it began
            self._hang_up()

    def dataReceived(self, data: bytes) -> None:
        if self._ended:
            return
        self._received += len(data)
        self._count(len(data))
        self._last = self._seconds()
        self._write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._source = None
        # A body that the connection's end delimits is whole as far as anyone can tell.
        if isinstance(reason.value, (ResponseDone, PotentialDataLoss)):
            self._end(None)
        else:
            words = f"{self._host} broke off its answer after {self._received} bytes"
            self._end(UpstreamFailure(words))

    def _watch(self) -> None:
        if self._timer is None and not self._ended:
            self._timer = self._clock.callLater(self._stall, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._paused:
            return
        left = self._last + self._stall - self._seconds()
        if left > 0:
            self._timer = self._clock.callLater(left, self._look)
        else:
            words = f"{self._host} sent nothing more for {self._stall:g} seconds"
            self._end(UpstreamTimeout(words))

    def _end(self, error: Exception | None) -> None:
        if self._ended:
            return
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._hang_up()
        self._consumer.unregisterProducer()
        if error is None:
            self._sent.callback(None)
        else:
            self._sent.errback(error)

    def _hang_up(self) -> None:
        """End the source, unless it has ended by itself."""
        source, self._source = self._source, None
        if source is not None:
            cast(ITransport, source).loseConnection()


class _HangUp(Protocol):
    """Takes a body only to end it."""

    def connectionMade(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


@implementer(IConsumer)
class _Nowhere:
    """Takes bytes that nobody wants."""

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """It flows as it comes."""

    def unregisterProducer(self) -> None:
        """Nothing is held."""

    def write(self, data: bytes) -> None:
        """Forget ``data``."""


@implementer(IConsumer)
class _Collected:
    """Keeps up to ``limit`` bytes, and stops the producer at the first one more."""

    def __init__(self, limit: int) -> None:
        self.chunks: list[bytes] = []
        self.overflowed = False
        self._left = limit
        self._producer: IProducer | None = None

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:  # noqa: ARG002
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def write(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left >= 0:
            self.chunks.append(data)
            return
        self.overflowed = True
        if self._producer is not None:
            self._producer.stopProducing()


def _ignored(_failure: Failure) -> None:
    """Nobody waits for a body that was discarded."""
