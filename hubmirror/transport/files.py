"""A part of a file, sent chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer

from hubmirror.errors import UpstreamFailure
from hubmirror.question import FileSlice
from hubmirror.transport.pump import Pump, pump

__all__ = ["CHUNK", "ReadInThread", "send_file"]

#: How much is read at once, in bytes: a thread's turn costs as much as copying some 100 KiB.
CHUNK: Final = 512 * 1024

#: ``pread`` in a thread: descriptor, size, offset.
ReadInThread = Callable[[int, int, int], Deferred[bytes]]


def send_file(part: FileSlice, consumer: IConsumer, read: ReadInThread) -> Deferred[None]:
    """Write ``part`` to ``consumer`` and close it; see ``Bodies.send``."""

    async def feed(out: Pump) -> None:
        position, end = part.start, part.start + part.length
        while position < end:
            await out.ready()
            data = await read(part.fd, min(CHUNK, end - position), position)
            if not data:
                raise UpstreamFailure("a kept blob has become shorter while it was sent")
            out.write(data)
            position += len(data)

    return pump(consumer, feed, part.close)
