"""The producer between a coroutine and a consumer."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from hubmirror.transport.pump import Pump, pump
from tests.transport.consumer import Consumer, note_type


class Gone(Consumer):
    """A consumer whose connection is lost: it stops a producer as it comes."""

    def registerProducer(self, producer: object, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        self.producer.stopProducing()


def test_a_consumer_that_has_gone_already() -> None:
    """Nothing is written, everything is released, once."""
    released: list[int] = []
    failures: list[type] = []

    async def feed(out: Pump) -> None:
        await out.ready()
        out.write(b"x")

    consumer = Gone()
    work = pump(consumer, feed, lambda: released.append(1))
    work.addErrback(note_type, failures)
    assert failures == [CancelledError]
    assert released == [1]
    assert consumer.received == b""
