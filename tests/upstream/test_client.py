"""Requests upstream: limits, second tries, clean ends, and what goes over the wire."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import error as network
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost, DNSLookupError
from twisted.internet.interfaces import (
    IConsumer,
    IProducer,
    IPullProducer,
    IPushProducer,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import Agent
from zope.interface import implementer

from hubmirror.errors import UpstreamFailure, UpstreamRefused, UpstreamTimeout
from hubmirror.question import Headers
from hubmirror.upstream.client import Reply, TimeLimits, UpstreamClient, http_client
from hubmirror.upstream.pacing import Pacing, UpstreamPaused
from tests.upstream.remote import error_of
from tests.upstream.wire import Wire

_URL = "https://hub.example/v2/"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@define
class _Upstream:
    """A client on a wire; each back-off lasts 0.55 seconds."""

    clock: Clock = field(factory=Clock)
    wire: Wire = field(init=False)
    client: UpstreamClient = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.wire = Wire(self.clock)
        self.client = UpstreamClient(
            self.wire.http,
            self.clock,
            TimeLimits(response=30, stall=10),
            Pacing(self.clock),
            random=lambda: 0.5,
        )

    def request(
        self,
        method: str = "GET",
        url: str = _URL,
        headers: Headers = (),
        body: bytes | None = None,
    ) -> Deferred[Reply]:
        return Deferred.fromCoroutine(self.client.request(method, url, headers, body))


@pytest.fixture
def upstream() -> _Upstream:
    return _Upstream()


def _reply(deferred: Deferred[Reply]) -> Reply:
    replies: list[Reply] = []
    deferred.addCallback(replies.append)
    assert replies, deferred
    return replies[0]


def test_a_request_and_its_reply(upstream: _Upstream) -> None:
    """A request goes out as it was given, repeated fields included; the reply tells its time."""
    headers = (("Accept", "a/b"), ("Accept", "c/d"), ("User-Agent", "docker"))
    asked = upstream.request(headers=headers)
    lines = upstream.wire.connections[0].sent.split(b"\r\n")
    assert lines[0] == b"GET /v2/ HTTP/1.1"
    assert {b"Host: hub.example", b"Accept: a/b", b"Accept: c/d", b"User-Agent: docker"} < {*lines}
    upstream.clock.advance(2)
    upstream.wire.connections[0].receive(
        _OK.replace(b"\r\n\r\n", b"\r\nETag: x\r\nETag: y\r\n\r\n")
    )
    reply = _reply(asked)
    assert (reply.status, reply.seconds, reply.url) == (200, 2.0, _URL)
    assert reply.header("etag") == "x"
    assert reply.header("Content-Length") is None


def test_the_length_of_a_head(upstream: _Upstream) -> None:
    """The answer to a HEAD keeps its ``Content-Length`` among its headers."""
    asked = upstream.request("HEAD")
    upstream.wire.connections[0].receive(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
    reply = _reply(asked)
    assert (reply.header("Content-Length"), reply.body.length) == ("7", 0)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_statuses_without_a_body(upstream: _Upstream, status: bytes) -> None:
    """A 204 or a 304 has no body, whatever length it tells."""
    asked = upstream.request()
    upstream.wire.connections[0].receive(b"HTTP/1.1 %b\r\nContent-Length: 7\r\n\r\n" % status)
    assert _reply(asked).body.length == 0


@pytest.mark.parametrize(
    ("url", "target", "host"),
    [
        (
            "http://h.example/a%2fb//c/../d?sig=a%2Fb+c/&e=&f",
            b"/a%2fb//c/../d?sig=a%2Fb+c/&e=&f",
            b"",
        ),
        ("http://blob_store.example/?x", b"/?x", b"blob_store.example"),
        ("http://[::1]:5000/v2/", b"/v2/", b"[::1]:5000"),
    ],
)
def test_urls_go_verbatim(upstream: _Upstream, url: str, target: bytes, host: bytes) -> None:
    """A signed URL is not touched; IPv6 literals and underscores in names are served."""
    asked = upstream.request(url=url)
    sent = upstream.wire.connections[0].sent
    assert sent.startswith(b"GET " + target + b" HTTP/1.1\r\n")
    assert b"\r\nHost: " + host in sent
    upstream.wire.connections[0].receive(_OK)
    assert _reply(asked).url == url


def test_no_redirect_is_followed(upstream: _Upstream) -> None:
    """A redirect comes back as it is: following is for those who know where it may lead."""
    asked = upstream.request()
    head = b"HTTP/1.1 307 X\r\nLocation: http://a.example/\r\nContent-Length: 0\r\n\r\n"
    upstream.wire.connections[0].receive(head)
    assert _reply(asked).status == 307
    assert len(upstream.wire.connections) == 1


def test_a_form(upstream: _Upstream) -> None:
    """A POST sends its body at once, with its length."""
    upstream.request("POST", headers=(("Content-Type", "a/b"),), body=b"scope=x")
    sent = upstream.wire.connections[0].sent
    assert sent.endswith(b"\r\n\r\nscope=x")
    assert b"\r\nContent-Length: 7\r\n" in sent


def test_no_cookies(upstream: _Upstream) -> None:
    """A cookie that an upstream sets for one user is not sent for the next."""
    upstream.request()
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    upstream.wire.connections[0].receive(head)
    upstream.request()
    [connection] = upstream.wire.connections
    assert connection.sent.count(b"GET /v2/") == 2
    assert b"cookie" not in connection.sent.lower()


def test_refused_then_accepted(upstream: _Upstream) -> None:
    """A refused connection is tried again after a moment, and the reply tells the whole time."""
    upstream.wire.refusals = [network.ConnectionRefusedError(), DNSLookupError()]
    asked = upstream.request("HEAD")
    upstream.clock.advance(0.54)
    assert len(upstream.wire.refusals) == 1
    upstream.clock.advance(0.01)
    assert not upstream.wire.refusals
    assert not upstream.wire.connections
    upstream.clock.advance(0.55)
    upstream.wire.connections[0].receive(_OK)
    assert _reply(asked).seconds == pytest.approx(1.1)


def test_two_more_tries_at_most(upstream: _Upstream) -> None:
    """The third refusal is the answer: 502, with the cause and the host in a sentence."""
    upstream.wire.refusals = [network.ConnectionRefusedError() for _ in range(4)]
    asked = upstream.request()
    upstream.clock.pump([0.55] * 10)
    error = error_of(asked, UpstreamFailure)
    assert (error.status, error.message) == (502, "hub.example refused the connection")
    assert len(upstream.wire.refusals) == 1


def test_closed_before_an_answer(upstream: _Upstream) -> None:
    """A connection that ends before the first byte of an answer is another try's case."""
    asked = upstream.request()
    upstream.wire.connections[0].lose(ConnectionLost())
    upstream.clock.advance(0.55)
    upstream.wire.connections[1].receive(_OK)
    assert _reply(asked).status == 200


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nCont", b"SSH-2.0\r\n"])
def test_an_answer_that_began(upstream: _Upstream, start: bytes) -> None:
    """Once an answer began, in HTTP or not, there is no second request."""
    asked = upstream.request()
    upstream.wire.connections[0].receive(start)
    upstream.wire.connections[0].lose(ConnectionLost())
    upstream.clock.advance(0.55)
    assert "hub.example" in error_of(asked, UpstreamFailure).message
    assert len(upstream.wire.connections) == 1


@pytest.mark.parametrize(
    ("method", "error"),
    [("POST", network.ConnectionRefusedError()), ("GET", UpstreamRefused("not there"))],
)
def test_what_is_not_tried_again(upstream: _Upstream, method: str, error: Exception) -> None:
    """A form is sent once, and what the mirror itself refuses stays refused."""
    upstream.wire.refusals = [error]
    asked = upstream.request(method, body=b"x" if method == "POST" else None)
    error_of(asked, UpstreamFailure)
    upstream.clock.advance(5)
    assert not upstream.wire.connections


def test_too_late(upstream: _Upstream) -> None:
    """No headers within the limit: 504, the connection ends, and nothing is tried again."""
    asked = upstream.request()
    upstream.wire.connections[0].receive(b"HTTP/1.1 200 OK\r\n")
    upstream.clock.advance(30)
    error = error_of(asked, UpstreamTimeout)
    assert (error.status, error.message) == (504, "hub.example did not answer within 30 seconds")
    assert upstream.wire.connections[0].is_closed
    upstream.clock.advance(5)
    assert len(upstream.wire.connections) == 1


def test_one_limit_for_all_tries(upstream: _Upstream) -> None:
    """The limit is for all tries together."""
    asked = upstream.request()
    upstream.clock.advance(20)
    upstream.wire.connections[0].lose(ConnectionLost())
    upstream.clock.advance(1)
    upstream.clock.advance(8.9)
    assert not asked.called
    upstream.clock.advance(0.1)
    error_of(asked, UpstreamTimeout)


def test_no_time_for_another_try(upstream: _Upstream) -> None:
    """A failure just before the limit is told as it is, not as a time-out."""
    asked = upstream.request()
    upstream.clock.advance(29.9)
    upstream.wire.connections[0].lose(ConnectionLost())
    assert "broke the connection off" in error_of(asked, UpstreamFailure).message


def test_cancelled_while_asking(upstream: _Upstream) -> None:
    """Cancelled, a request ends its connection at once, and is not taken for a failure."""
    asked = upstream.request()
    asked.cancel()
    error_of(asked, CancelledError)
    assert upstream.wire.connections[0].is_closed
    upstream.clock.advance(5)
    assert len(upstream.wire.connections) == 1
    assert upstream.clock.getDelayedCalls() == []


def test_cancelled_between_tries(upstream: _Upstream) -> None:
    """Cancelled while it waits for another try, a request makes none."""
    upstream.wire.refusals = [network.ConnectionRefusedError()]
    asked = upstream.request()
    asked.cancel()
    error_of(asked, CancelledError)
    upstream.clock.advance(5)
    assert not upstream.wire.connections


def test_paced(upstream: _Upstream) -> None:
    """After a 429 of the abuse limit the upstream is not asked until its pause is over."""
    asked = upstream.request()
    head = b"HTTP/1.1 429 X\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"
    upstream.wire.connections[0].receive(head)
    assert _reply(asked).status == 429
    error_of(upstream.request(), UpstreamPaused)
    [connection] = upstream.wire.connections
    assert connection.sent.count(b"GET") == 1


def test_nothing_secret_is_shown(upstream: _Upstream) -> None:
    """Neither a reply nor a failure shows a signed URL."""
    url = "https://blobs.example/x?sig=secret"
    asked = upstream.request(url=url)
    upstream.wire.connections[0].receive(_OK)
    assert "secret" not in repr(_reply(asked))
    asked = upstream.request("POST", url=url)
    upstream.wire.connections[0].lose(ConnectionLost())
    assert "secret" not in repr(error_of(asked, UpstreamFailure))


@implementer(IPullProducer)
class _Flood(Protocol):
    """Answers any request with a body without end, as fast as it is taken."""

    def __init__(self) -> None:
        self.lost: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        consumer = IConsumer(self.transport)
        consumer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        consumer.registerProducer(self, False)

    def resumeProducing(self) -> None:
        assert self.transport is not None
        self.transport.write(bytes(65536))

    def stopProducing(self) -> None:
        """The connection has ended."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)


@implementer(IConsumer)
class _Gate:
    """A consumer that takes the first bytes, pauses, and tells so."""

    def __init__(self) -> None:
        self.paused: Deferred[None] = Deferred()
        self.producer: IPushProducer | None = None

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        self.producer = IPushProducer(producer)

    def unregisterProducer(self) -> None:
        """It has ended."""

    def write(self, data: bytes) -> None:
        assert not self.paused.called, "written although it has paused"
        assert self.producer is not None
        self.producer.pauseProducing()
        self.paused.callback(None)


@pytest_twisted.ensureDeferred
async def test_cancelling_over_tcp(reactor: Any) -> None:
    """Over a real connection: a pause holds, and cancelling reaches the upstream at once."""
    flood = _Flood()
    port = reactor.listenTCP(0, Factory.forProtocol(lambda: flood), interface="127.0.0.1")
    client = UpstreamClient(
        http_client(Agent(reactor)), reactor, TimeLimits(5, 5), Pacing(reactor), retries=0
    )
    reply = await client.request("GET", f"http://127.0.0.1:{port.getHost().port}/")
    sent = reply.body.send_to(gate := _Gate())
    await gate.paused
    sent.cancel()
    with pytest.raises(CancelledError):
        await sent
    await flood.lost
    await port.stopListening()
