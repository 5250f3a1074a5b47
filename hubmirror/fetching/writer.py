"""The bytes of one answer on their way into a fetch."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IConsumer, IProducer
from zope.interface import implementer

from hubmirror.errors import UpstreamFailure
from hubmirror.upstream.blobs import BlobPart

__all__ = ["write_part"]


async def write_part(part: BlobPart, end: int, keep: Callable[[int, bytes], None]) -> None:
    """Give the bytes of ``part`` up to ``end`` to ``keep``, each with its place in the blob.

    Raises what ``keep`` raises, and ``UpstreamFailure`` where the bytes end before ``end``.
    """
    writer = _Writer(part.start, end, keep)
    try:
        await part.body.send_to(writer)
    except CancelledError:
        if writer.error is None and writer.position < end:
            raise
    if writer.error is not None:
        raise writer.error
    if writer.position < end:
        raise UpstreamFailure("the blob host sent fewer bytes than it promised")


@implementer(IConsumer)
class _Writer:
    """Stops the source at ``end``, or when a byte can't be kept."""

    def __init__(self, position: int, end: int, keep: Callable[[int, bytes], None]) -> None:
        self.position = position
        self.error: Exception | None = None
        self._end = end
        self._keep = keep
        self._producer: IProducer | None = None

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:  # noqa: ARG002
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def write(self, data: bytes) -> None:
        left = self._end - self.position
        offset, self.position = self.position, self.position + len(data)
        if self.error is not None or left <= 0:
            return
        try:
            self._keep(offset, data[:left])
        except Exception as error:
            self.error = error
        if (self.error is not None or len(data) > left) and self._producer is not None:
            self._producer.stopProducing()
