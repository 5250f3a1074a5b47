"""Where bytes go that nobody wants, and are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IProducer
from zope.interface import implementer

__all__ = ["Meter", "Sink"]

#: After how many bytes progress is told.
_STEP: Final = 1 << 20


class Meter:
    """Counts bytes, and tells about every MiB of them."""

    def __init__(self) -> None:
        self.count = 0
        self.is_over = False
        self._told = 0
        self._waiting: Deferred[None] | None = None

    def add(self, size: int) -> None:
        """So many have come."""
        self.count += size
        self._tell()

    def end(self) -> None:
        """No more come."""
        self.is_over = True
        self._tell()

    def moved(self) -> Deferred[None]:
        """Fires when there is something new to tell. One waits at a time."""
        waiting: Deferred[None] = Deferred()
        self._waiting = waiting
        self._tell()
        return waiting

    def _tell(self) -> None:
        is_new = self.is_over or self.count - self._told >= _STEP
        if is_new and self._waiting is not None:
            self._told = self.count
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)


@implementer(IConsumer)
class Sink:
    """Takes all that comes, as fast as it comes."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Nothing: it is never paused."""

    def unregisterProducer(self) -> None:
        """Nothing."""

    def write(self, data: bytes) -> None:
        self._take(data)
