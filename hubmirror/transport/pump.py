"""A push producer that is fed by a coroutine: reads and waits go on as the consumer lets them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer

from hubmirror.transport.kernel import socket_of

__all__ = ["Pump", "pump"]


def pump(
    consumer: IConsumer,
    feed: Callable[[Pump], Awaitable[None]],
    release: Callable[[], None],
) -> Deferred[None]:
    """Register a producer on ``consumer`` and let ``feed`` write through it.

    ``release`` is called once, at the end of it all, however that comes.
    """
    return Pump(consumer, release).begin(feed)


@implementer(IPushProducer)
class Pump:
    """What ``feed`` is handed: ``await ready()``, then ``write``."""

    def __init__(self, consumer: IConsumer, release: Callable[[], None]) -> None:
        self._consumer = consumer
        self._kernel = socket_of(consumer)
        self._release = release
        self._may_go: Deferred[None] | None = None
        self._is_paused = False
        self._is_stopped = False
        self._work: Deferred[None] | None = None

    def begin(self, feed: Callable[[Pump], Awaitable[None]]) -> Deferred[None]:
        """Start; the Deferred is ``feed``'s end."""
        self._consumer.registerProducer(self, True)
        if self._kernel is not None:
            self._kernel.cork(True)
        work: Deferred[None] = Deferred.fromCoroutine(self._run(feed))
        self._work = work
        return work

    async def ready(self) -> None:
        """Wait until the consumer wants more; raises ``CancelledError`` when it is gone."""
        if self._is_stopped:
            raise CancelledError
        if self._is_paused:
            self._may_go = Deferred()
            await self._may_go

    def write(self, data: bytes) -> None:
        """Hand on ``data``; the consumer may pause us meanwhile."""
        self._consumer.write(data)

    @property
    def has_kernel(self) -> bool:
        """Whether ``splice`` may be called."""
        return self._kernel is not None

    async def splice(self, fd: int, position: int, count: int) -> int:
        """Have the kernel send up to ``count`` bytes of a file, once all that was written has left.

        How many it has sent: 0 where the file ends. Raises ``OSError`` where it can't.
        """
        if self._kernel is None:
            raise RuntimeError("the consumer's bytes do not go by the kernel")
        while True:
            self._kernel.wait()
            await self.ready()
            sent = self._kernel.send_file(fd, position, count)
            if sent is not None:
                cast(Any, self._consumer).sent_by_kernel(sent)
                return sent

    def pauseProducing(self) -> None:
        """The consumer has enough for now (``IPushProducer``)."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """The consumer wants more (``IPushProducer``)."""
        self._is_paused = False
        may_go, self._may_go = self._may_go, None
        if may_go is not None:
            may_go.callback(None)

    def stopProducing(self) -> None:
        """The consumer is gone (``IProducer``)."""
        self._is_stopped = True
        if self._work is not None:
            self._work.cancel()

    async def _run(self, feed: Callable[[Pump], Awaitable[None]]) -> None:
        try:
            await feed(self)
        finally:
            if self._kernel is not None:
                self._kernel.cork(False)
            self._release()
            self._consumer.unregisterProducer()
