"""A consumer that takes as much as it is told to."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IConsumer)
class Consumer:
    """Pauses its producer once ``limit`` bytes have come (None: never)."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.producer: Any = None
        self.received = b""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert self.producer is None
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.received += data
        if self.limit is not None and len(self.received) >= self.limit:
            self.producer.pauseProducing()


def note_type(failure: Failure, types: list[type]) -> None:
    """An errback that notes what it got."""
    types.append(cast(type, failure.type))
