"""Bodies stream with back-pressure, end when told to, and never look whole when they are not."""

from __future__ import annotations

import pytest
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IConsumer, IProducer, IPushProducer
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from hubmirror.errors import UpstreamFailure, UpstreamTimeout
from hubmirror.question import IStream
from hubmirror.upstream.body import EmptyBody, read
from hubmirror.upstream.client import Reply, TimeLimits, UpstreamClient
from hubmirror.upstream.pacing import Pacing
from tests.upstream.remote import error_of, result_of
from tests.upstream.wire import Connection, Wire

_OK = b"HTTP/1.1 200 OK\r\n"


@implementer(IConsumer)
class _Consumer:
    """Keeps what it is given; pauses its producer at each write when ``is_slow``."""

    def __init__(self, is_slow: bool = False, is_gone: bool = False) -> None:
        self.received = b""
        self.producer: IPushProducer | None = None
        self.is_slow = is_slow
        self.is_gone = is_gone

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        assert streaming
        assert self.producer is None
        self.producer = IPushProducer(producer)
        if self.is_gone:
            producer.stopProducing()

    def unregisterProducer(self) -> None:
        assert self.producer is not None
        self.producer = None

    def write(self, data: bytes) -> None:
        assert self.producer is not None, "written without a producer"
        self.received += data
        if self.is_slow:
            self.producer.pauseProducing()


@define
class _Exchange:
    """One request on a wire of its own, answered up to its headers."""

    clock: Clock = field(factory=Clock)
    wire: Wire = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.wire = Wire(self.clock)

    def request(self, head: bytes, method: str = "GET") -> Reply:
        """The reply to a request that the upstream answers with ``head``."""
        limits = TimeLimits(response=30, stall=10)
        client = UpstreamClient(self.wire.http, self.clock, limits, Pacing(self.clock))
        reply = Deferred.fromCoroutine(client.request(method, "http://hub.example/"))
        self.connection.receive(_OK + head)
        return result_of(_awaited(reply))

    @property
    def connection(self) -> Connection:
        return self.wire.connections[-1]

    def is_reused(self) -> bool:
        """Whether another request goes over the same connection."""
        self.request(b"Content-Length: 0\r\n\r\n")
        return len(self.wire.connections) == 1


async def _awaited(reply: Deferred[Reply]) -> Reply:
    return await reply


@pytest.fixture
def exchange() -> _Exchange:
    return _Exchange()


def test_streams_as_it_comes(exchange: _Exchange) -> None:
    """Each chunk is written when it comes, and the end leaves the consumer free."""
    body = exchange.request(b"Content-Length: 6\r\n\r\nab").body
    assert verifyObject(IStream, body)
    assert body.length == 6
    assert exchange.connection.is_paused, "nothing is read that nobody wants yet"
    consumer = _Consumer()
    sent = body.send_to(consumer)
    assert consumer.received == b"ab"
    exchange.connection.receive(b"cd")
    assert consumer.received == b"abcd"
    assert not sent.called
    exchange.connection.receive(b"ef")
    assert sent.called
    assert (consumer.received, consumer.producer) == (b"abcdef", None)
    assert exchange.is_reused()


def test_nothing_is_left_behind(exchange: _Exchange) -> None:
    """A body that has ended leaves no timer of its own."""
    head = b"Connection: close\r\nContent-Length: 2\r\n\r\n"
    sent = exchange.request(head).body.send_to(_Consumer())
    exchange.connection.receive(b"ab")
    assert sent.called
    assert exchange.clock.getDelayedCalls() == []


def test_a_slow_consumer_holds_the_upstream(exchange: _Exchange) -> None:
    """A consumer's pause stops reading, its resumption starts it again."""
    consumer = _Consumer()
    exchange.request(b"Content-Length: 6\r\n\r\n").body.send_to(consumer)
    assert not exchange.connection.is_paused
    assert consumer.producer is not None
    consumer.producer.pauseProducing()
    assert exchange.connection.is_paused
    consumer.producer.resumeProducing()
    assert not exchange.connection.is_paused


def test_a_pause_by_the_first_bytes(exchange: _Exchange) -> None:
    """A pause holds also when the bytes that came with the headers caused it."""
    exchange.request(b"Content-Length: 6\r\n\r\nab").body.send_to(_Consumer(is_slow=True))
    assert exchange.connection.is_paused


def test_calls_after_the_end(exchange: _Exchange) -> None:
    """What a consumer says after the end reaches neither the body nor its connection."""
    consumer = _Consumer()
    sent = exchange.request(b"Content-Length: 2\r\n\r\n").body.send_to(consumer)
    producer = consumer.producer
    assert producer is not None
    exchange.connection.receive(b"ab")
    producer.pauseProducing()
    producer.resumeProducing()
    producer.stopProducing()
    assert sent.result is None
    assert not exchange.connection.is_paused
    assert not exchange.connection.is_closed
    assert exchange.is_reused()


def test_chunked(exchange: _Exchange) -> None:
    """A chunked body has no length, and ends at its last chunk."""
    body = exchange.request(b"Transfer-Encoding: chunked\r\n\r\n").body
    assert body.length is None
    consumer = _Consumer()
    sent = body.send_to(consumer)
    exchange.connection.receive(b"2\r\nab\r\n0\r\n\r\n")
    assert sent.called
    assert consumer.received == b"ab"


def test_close_delimited(exchange: _Exchange) -> None:
    """A body that only the connection's end delimits is whole when the connection ends."""
    consumer = _Consumer()
    sent = exchange.request(b"\r\nab").body.send_to(consumer)
    exchange.connection.lose()
    assert sent.result is None
    assert consumer.received == b"ab"


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 6\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"],
    ids=["short", "chunked"],
)
def test_broken_off(exchange: _Exchange, head: bytes) -> None:
    """A body that breaks off fails, chunked or not, and says after how much."""
    sent = exchange.request(head).body.send_to(consumer := _Consumer())
    exchange.connection.receive(b"3\r\n")
    exchange.connection.lose(ConnectionLost())
    error = error_of(sent, UpstreamFailure)
    assert error.status == 502
    count = len(consumer.received)
    assert error.message == f"hub.example broke off its answer after {count} bytes"
    assert consumer.producer is None


def test_malformed_chunks(exchange: _Exchange) -> None:
    """Bytes that are no chunk fail the body and end the connection."""
    sent = exchange.request(b"Transfer-Encoding: chunked\r\n\r\n").body.send_to(_Consumer())
    exchange.connection.receive(b"zz\r\n")
    error_of(sent, UpstreamFailure)
    assert exchange.connection.is_closed


def test_a_stall(exchange: _Exchange) -> None:
    """No byte for the limit: 504, and the upstream is let go; a byte just in time is enough."""
    consumer = _Consumer()
    sent = exchange.request(b"Content-Length: 6\r\n\r\n").body.send_to(consumer)
    exchange.clock.advance(9)
    exchange.connection.receive(b"a")
    exchange.clock.advance(9)
    exchange.connection.receive(b"b")
    exchange.clock.advance(9.5)
    assert not sent.called
    exchange.clock.advance(0.5)
    error = error_of(sent, UpstreamTimeout)
    assert (error.status, error.message) == (504, "hub.example sent nothing more for 10 seconds")
    assert exchange.connection.is_closed
    exchange.connection.receive(b"cd")
    assert (consumer.received, consumer.producer) == (b"ab", None)
    assert exchange.clock.getDelayedCalls() == []


def test_a_pause_is_no_stall(exchange: _Exchange) -> None:
    """The limit does not run while the consumer pauses, and runs anew when it resumes."""
    consumer = _Consumer()
    sent = exchange.request(b"Content-Length: 6\r\n\r\n").body.send_to(consumer)
    producer = consumer.producer
    assert producer is not None
    exchange.clock.advance(9)
    producer.pauseProducing()
    exchange.clock.advance(1000)
    producer.resumeProducing()
    exchange.clock.advance(9)
    assert not sent.called
    exchange.clock.advance(1)
    error_of(sent, UpstreamTimeout)


def test_cancelling(exchange: _Exchange) -> None:
    """Cancelled, the upstream's transfer ends at once; what still comes goes nowhere."""
    consumer = _Consumer()
    sent = exchange.request(b"Content-Length: 6\r\n\r\nab").body.send_to(consumer)
    sent.cancel()
    error_of(sent, CancelledError)
    assert exchange.connection.is_closed
    exchange.connection.receive(b"cd")
    exchange.connection.lose()
    assert (consumer.received, consumer.producer) == (b"ab", None)


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_consumer_that_goes(exchange: _Exchange, is_gone: bool) -> None:
    """A consumer that stops its producer, at once or later, ends the upstream's transfer."""
    consumer = _Consumer(is_gone=is_gone)
    sent = exchange.request(b"Content-Length: 6\r\n\r\n").body.send_to(consumer)
    if consumer.producer is not None:
        consumer.producer.stopProducing()
    error_of(sent, CancelledError)
    assert exchange.connection.is_closed


def test_discarding_a_large_body(exchange: _Exchange) -> None:
    """A large body that is not wanted ends with its connection, unread."""
    exchange.request(b"Content-Length: 1000000\r\n\r\n").body.discard()
    assert exchange.connection.is_closed


def test_discarding_an_endless_body(exchange: _Exchange) -> None:
    """A body of unknown length that is not wanted ends with its connection."""
    exchange.request(b"Transfer-Encoding: chunked\r\n\r\n").body.discard()
    assert exchange.connection.is_closed


@pytest.mark.parametrize("rest", [b"", b"cdef"])
def test_discarding_a_small_body(exchange: _Exchange, rest: bytes) -> None:
    """A small body that is not wanted is read out, and the connection serves again."""
    exchange.request(b"Content-Length: 6\r\n\r\nab" + rest).body.discard()
    if not rest:
        exchange.connection.receive(b"cdef")
    assert exchange.is_reused()


def test_discarding_a_small_body_that_drips(exchange: _Exchange) -> None:
    """A small unwanted body gets no more time, bytes or not, than one stall may take."""
    exchange.request(b"Content-Length: 6\r\n\r\n").body.discard()
    exchange.clock.advance(9)
    exchange.connection.receive(b"a")
    assert not exchange.connection.is_closed
    exchange.clock.advance(1)
    assert exchange.connection.is_closed


def test_discarding_what_was_sent(exchange: _Exchange) -> None:
    """A discard after the sending began changes nothing, twice is as good as once."""
    body = exchange.request(b"Content-Length: 6\r\n\r\n").body
    sent = body.send_to(consumer := _Consumer())
    body.discard()
    exchange.connection.receive(b"abcdef")
    assert sent.called
    assert consumer.received == b"abcdef"


@pytest.mark.parametrize(
    ("method", "head"),
    [("HEAD", b"Content-Length: 6\r\n\r\n"), ("GET", b"Content-Length: 0\r\n\r\n")],
)
def test_without_a_body(exchange: _Exchange, method: str, head: bytes) -> None:
    """Where no byte comes, nothing is waited for and the connection serves again."""
    body = exchange.request(head, method).body
    consumer = _Consumer()
    assert body.length == 0
    assert body.send_to(consumer).called
    assert consumer.received == b""
    assert exchange.is_reused()


def test_an_empty_body() -> None:
    """The empty body is a stream like others."""
    assert verifyObject(IStream, EmptyBody())
    EmptyBody().discard()
    assert result_of(read(EmptyBody(), 0)) == b""


def test_reading(exchange: _Exchange) -> None:
    """A body up to the limit is read whole."""
    body = exchange.request(b"Content-Length: 6\r\n\r\nabc").body
    reading = Deferred.fromCoroutine(read(body, 6))
    assert not reading.called
    exchange.connection.receive(b"def")
    assert reading.result == b"abcdef"


def test_reading_too_much(exchange: _Exchange) -> None:
    """A body beyond the limit fails, and its upstream is let go at that byte."""
    body = exchange.request(b"Transfer-Encoding: chunked\r\n\r\n").body
    reading = Deferred.fromCoroutine(read(body, 5))
    exchange.connection.receive(b"6\r\nabcdef\r\n")
    assert "larger than 5 bytes" in error_of(reading, UpstreamFailure).message
    assert exchange.connection.is_closed


def test_cancelling_a_reading(exchange: _Exchange) -> None:
    """A reading that is cancelled ends the upstream's transfer."""
    reading = Deferred.fromCoroutine(read(exchange.request(b"\r\n").body, 5))
    reading.cancel()
    error_of(reading, CancelledError)
    assert exchange.connection.is_closed
