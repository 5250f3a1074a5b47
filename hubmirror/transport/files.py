"""A part of a file, sent chunk by chunk: by the kernel where it can, else through memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer

from hubmirror.errors import UpstreamFailure
from hubmirror.question import FileSlice
from hubmirror.transport.pump import Pump, pump
from hubmirror.transport.reading import FileReader

__all__ = ["CHUNK", "send_chunk", "send_file"]

#: How much is sent in one turn at most, in bytes: a thread's turn costs as much as copying some
#: 100 KiB, and other connections wait meanwhile.
CHUNK: Final = 512 * 1024


def send_file(part: FileSlice, consumer: IConsumer, reader: FileReader) -> Deferred[None]:
    """Write ``part`` to ``consumer`` and close it; see ``Bodies.send``."""

    async def feed(out: Pump) -> None:
        position, end = part.start, part.start + part.length
        while position < end:
            await out.ready()
            position += await send_chunk(out, reader, part.fd, position, end - position)

    return pump(consumer, feed, part.close)


async def send_chunk(out: Pump, reader: FileReader, fd: int, position: int, left: int) -> int:
    """Send up to ``CHUNK`` of the ``left`` bytes from ``position`` on; how many that was.

    Raises ``UpstreamFailure`` where the file ends.
    """
    size = min(CHUNK, left)
    sent = None
    if out.has_kernel and reader.is_cached(fd, size, position):
        with suppress(OSError):  # the filesystem may lack it; what is wrong, reading tells
            sent = await out.splice(fd, position, size)
    if sent is None:
        data = await reader.read(fd, size, position)
        out.write(data)
        sent = len(data)
    if not sent:
        raise UpstreamFailure("a kept blob has become shorter while it was sent")
    return sent
