"""An Answer's body on its way to a consumer, whatever it is made of."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer

from hubmirror.question import Body, FileSlice, GrowingSlice
from hubmirror.transport.files import send_file
from hubmirror.transport.growing import send_growing
from hubmirror.transport.reading import FileReader, ReadInThread

__all__ = ["Bodies"]


class Bodies:
    """Sends bodies. ``read`` is ``os.pread`` in a thread: it must not hold the reactor."""

    def __init__(self, read: ReadInThread) -> None:
        self._reader = FileReader(read)

    def length(self, body: Body) -> int | None:
        """How many bytes it has, or None where nobody knows."""
        return len(body) if isinstance(body, bytes) else body.length

    def send(self, body: Body, consumer: IConsumer) -> Deferred[None]:
        """Write ``body`` to ``consumer`` at the consumer's own pace.

        Fires after the last byte; fails with an ``UpstreamFailure`` when the source breaks
        off. Cancelling it, or the consumer's stopping the producer, ends the source.
        """
        if isinstance(body, bytes):
            consumer.write(body)
            return succeed(None)
        if isinstance(body, FileSlice):
            return send_file(body, consumer, self._reader)
        if isinstance(body, GrowingSlice):
            return send_growing(body, consumer, self._reader)
        return body.send_to(consumer)

    def discard(self, body: Body) -> None:
        """It is not going to be sent: give back what it holds."""
        if isinstance(body, FileSlice):
            body.close()
        elif isinstance(body, GrowingSlice):
            body.source.close()
        elif not isinstance(body, bytes):
            body.discard()
