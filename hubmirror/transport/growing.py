"""A part of a file that is still being fetched, sent as its bytes come."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer

from hubmirror.question import GrowingSlice
from hubmirror.transport.files import send_chunk
from hubmirror.transport.pump import Pump, pump
from hubmirror.transport.reading import FileReader

__all__ = ["send_growing"]


def send_growing(part: GrowingSlice, consumer: IConsumer, reader: FileReader) -> Deferred[None]:
    """Write ``part`` to ``consumer``; see ``Bodies.send``."""
    source = part.source

    async def feed(out: Pump) -> None:
        position, end = part.start, part.start + part.length
        while position < end:
            await out.ready()
            there = source.available(position)
            if not there:
                await source.wait(position)
                continue
            left = min(there, end - position)
            position += await send_chunk(out, reader, source.fd, position, left)

    return pump(consumer, feed, source.close)
