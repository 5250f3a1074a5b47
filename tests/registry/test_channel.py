"""What is no good request gets its 4xx, and a limit."""

from __future__ import annotations

import re
from typing import Any

import pytest
from twisted.web.server import NOT_DONE_YET

from hubmirror.registry.channel import AT_ONCE, LAST_CALL, MAX_AHEAD, REST, Limits, MirrorChannel
from hubmirror.registry.parsing import MAX_BODY, MAX_HEADERS, MAX_REQUEST_LINE, RequestParser
from hubmirror.registry.site import Frontage
from tests.registry.edge import Edge, hang_up

HOST = b"Host: mirror.example\r\n"
#: A request that the upstream has to answer, and one that is answered here.
SLOW = b"GET /v2/ HTTP/1.1\r\n" + HOST + b"\r\n"
QUICK = b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * MAX_REQUEST_LINE + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET /" + b"a" * (MAX_HEADERS + 1), 414),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * (MAX_HEADERS + 1), 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: aaaaaaaaaaaa\r\n" * 1200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\nx", 400),
        (b"HEAD / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (
            b"POST /token HTTP/1.1\r\n"
            + HOST
            + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            b"POST /token HTTP/1.1\r\n"
            + HOST
            + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            400,
        ),
        (b"POST /token HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\na", 400),
        (b"POST /token HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: identity\r\n\r\n", 400),
        (b"POST /token HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
        (b"POST /token HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (
            b"POST /token HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1),
            413,
        ),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b'GET / HTTP/1.1\r\nHost: evil"><script>\r\n\r\n', 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b" folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"No colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X : y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\n" + b"Host: a\n\n\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"Host: a\nX: b\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n", 501),
        (b"CONNECT registry-1.docker.io:443 HTTP/1.1\r\nHost: registry-1.docker.io\r\n\r\n", 405),
        (b"GET http://example.com/v2/ HTTP/1.1\r\nHost: example.com\r\n\r\n", 421),
        (b"GET https://example.com/v2/ HTTP/1.1\r\n" + HOST + b"\r\n", 421),
        (b"GET ftp://127.0.0.1:5000/v2/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET v2/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ],
)
def test_refuses(data: bytes, status: int) -> None:
    """What breaks HTTP or a limit is refused in the registry's JSON, and hung up on."""
    edge = Edge()
    wire = edge.send(data)
    assert wire.status() == status
    assert wire.error()["code"] == "UNSUPPORTED"
    assert wire.hung_up
    assert edge.upstream.requests == []
    assert wire.value().count(b"HTTP/1.1 ") == 1


def test_nothing_is_read_after_a_refusal() -> None:
    """A request smuggled behind a refused one is never served."""
    edge = Edge()
    protocol, wire = edge.connect()
    protocol.dataReceived(b"GET / HTTP/1.1\r\n\r\nGET /v2/ HTTP/1.1\r\n" + HOST + b"\r\n")
    protocol.dataReceived(b"GET /v2/ HTTP/1.1\r\n" + HOST + b"\r\n")
    assert wire.value().count(b"HTTP/1.1 ") == 1
    assert edge.upstream.requests == []


def test_refused_client_may_linger_a_moment_only() -> None:
    """The connection that was half-closed is ended even if the client keeps its half."""
    edge = Edge()
    wire = edge.send(b"nonsense\r\n")
    assert (wire.is_half_closed, wire.is_closed) == (True, False)
    edge.clock.advance(2)
    assert wire.is_closed


@pytest.mark.parametrize("authority", ["127.0.0.1:5000", "localhost:5000", "hub.example"])
def test_absolute_target_of_our_own(authority: str) -> None:
    """RFC 9112, section 3.2.2: an absolute target that names this server is right."""
    edge = Edge(frontage=Frontage(public_url="https://hub.example"))
    wire = edge.send(f"GET http://{authority}/v2/ HTTP/1.1\r\nHost: other\r\n\r\n".encode())
    assert wire.status() == 200
    assert edge.upstream.requests[0][1] == "/v2/"


def test_tls_on_a_plain_port_is_closed_at_once() -> None:
    """Docker tries TLS first: it must not have to wait for a line's end."""
    wire = Edge().send(b"\x16\x03\x01\x02\x00\x01\x00")
    assert wire.is_closed
    assert wire.value() == b""


def test_headers_must_come_in_time_however_they_drip() -> None:
    """A byte a second keeps no connection."""
    edge = Edge(limits=Limits(header_timeout=10))
    protocol, wire = edge.connect()
    for byte in b"GET / HTTP":
        protocol.dataReceived(bytes([byte]))
        edge.clock.advance(0.99)
    assert not wire.hung_up
    edge.clock.advance(1)
    assert wire.status() == 408
    assert wire.hung_up


def test_bodies_must_come_in_time() -> None:
    """The limit holds until the request is whole, not only until its headers are."""
    edge = Edge()
    protocol, wire = edge.connect()
    protocol.dataReceived(b"POST /token HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc")
    edge.clock.advance(10)
    assert wire.status() == 408


def test_silent_connection_is_ended() -> None:
    """Who connects and says nothing is hung up on, without a word."""
    edge = Edge()
    _, wire = edge.connect()
    edge.clock.advance(10)
    assert wire.is_closed
    assert wire.value() == b""


def test_kept_connection_may_idle_for_a_while() -> None:
    """Between requests the idle time holds, not that for headers."""
    edge = Edge(limits=Limits(idle_timeout=75))
    protocol, wire = edge.connect()
    protocol.dataReceived(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
    edge.clock.advance(74)
    assert not wire.is_closed
    protocol.dataReceived(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
    assert wire.value().count(b"HTTP/1.1 404") == 2
    edge.clock.advance(75)
    assert wire.is_closed


def test_an_idle_connection_keeps_little() -> None:
    """What it needs for a request alone is given back, and made again for the next one."""
    edge = Edge()
    protocol, wire = edge.connect()
    assert not _has_parser(protocol)
    protocol.dataReceived(QUICK[:9])
    edge.clock.advance(REST)
    protocol.dataReceived(QUICK[9:])
    assert _has_parser(protocol)
    edge.clock.advance(REST)
    assert not _has_parser(protocol)
    protocol.dataReceived(QUICK)
    assert wire.value().count(b" 404 ") == 2


def _has_parser(protocol: MirrorChannel) -> bool:
    return RequestParser in map(type, vars(protocol).values())


def test_second_request_must_come_in_time_too() -> None:
    """On a kept connection the limit for headers starts with the first byte."""
    edge = Edge()
    protocol, wire = edge.connect()
    protocol.dataReceived(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
    edge.clock.advance(60)
    protocol.dataReceived(b"G")
    edge.clock.advance(10)
    assert b"HTTP/1.1 408" in wire.value()


def test_client_that_takes_nothing_is_ended() -> None:
    """A response that nobody reads holds its connection for ``send_timeout`` only."""
    edge = Edge(limits=Limits(send_timeout=50))
    protocol, wire = edge.connect()
    protocol.dataReceived(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
    protocol.pauseProducing()
    edge.clock.advance(49)
    protocol.resumeProducing()
    protocol.pauseProducing()
    edge.clock.advance(24)
    assert not wire.is_closed
    edge.clock.advance(26)
    assert wire.is_closed


def test_nothing_is_left_in_the_clock() -> None:
    """A connection takes its timers with it."""
    edge = Edge()
    protocol, _ = edge.connect()
    protocol.dataReceived(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
    protocol.pauseProducing()
    hang_up(protocol)
    refused, _ = edge.connect()
    refused.dataReceived(b"nonsense\r\n")
    hang_up(refused)
    assert edge.clock.getDelayedCalls() == []


class Held:
    """An upstream that answers when it is told to."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self.waiting: list[Any] = []
        edge.upstream.answer = self._hold

    def release(self) -> None:
        """Answer the first that waits."""
        request = self.waiting.pop(0)
        request.write(b"{}")
        request.finish()
        self._edge.settle()

    def _hold(self, request: Any) -> int:
        self.waiting.append(request)
        return NOT_DONE_YET


def test_one_request_at_a_time() -> None:
    """What is behind it waits for its answer: answers come in the order of the questions."""
    edge = Edge()
    held = Held(edge)
    protocol, wire = edge.connect()
    protocol.dataReceived(SLOW + SLOW + QUICK)
    edge.settle()
    assert (len(held.waiting), wire.value()) == (1, b"")
    held.release()
    assert len(held.waiting) == 1
    assert wire.value().count(b"HTTP/1.1 ") == 1
    held.release()
    assert re.findall(rb"HTTP/1.1 (\d+)", wire.value()) == [b"200", b"200", b"404"]
    assert not protocol.is_busy


def test_little_is_read_ahead() -> None:
    """Enough to notice that the client has gone; the rest waits in the kernel."""
    edge = Edge()
    held = Held(edge)
    protocol, wire = edge.connect()
    protocol.dataReceived(SLOW)
    protocol.dataReceived(QUICK * (MAX_AHEAD // len(QUICK)))
    assert wire.producerState == "producing"
    protocol.dataReceived(QUICK)
    assert wire.producerState == "paused"
    held.release()
    assert wire.producerState == "producing"
    assert wire.value().count(b" 404 ") == MAX_AHEAD // len(QUICK) + 1


def test_nothing_is_served_to_who_takes_nothing() -> None:
    """Or small questions would fill the memory with large answers."""
    edge = Edge()
    protocol, wire = edge.connect()
    protocol.dataReceived(QUICK)
    protocol.pauseProducing()
    wire.clear()
    protocol.dataReceived(QUICK * 1000)
    assert (wire.value(), wire.producerState) == (b"", "paused")
    protocol.resumeProducing()
    edge.clock.advance(0)
    assert wire.value().count(b" 404 ") == 1000
    assert wire.producerState == "producing"


def test_a_connection_has_its_turn() -> None:
    """Whoever sends many requests at once lets others in between, and sends no more meanwhile."""
    edge = Edge()
    protocol, wire = edge.connect()
    protocol.dataReceived(QUICK * 1000)
    assert (wire.value().count(b" 404 "), wire.producerState) == (AT_ONCE, "paused")
    protocol.dataReceived(QUICK)
    other, other_wire = edge.connect()
    other.dataReceived(QUICK)
    assert wire.value().count(b" 404 ") == AT_ONCE
    assert other_wire.value().count(b" 404 ") == 1
    edge.clock.advance(0)
    assert (wire.value().count(b" 404 "), wire.producerState) == (1001, "producing")
    assert not wire.is_closed


def test_a_connection_that_ends_has_no_more_turns() -> None:
    """Neither where the client has gone, nor behind the last answer."""
    edge = Edge()
    protocol, wire = edge.connect()
    protocol.dataReceived(QUICK * (2 * AT_ONCE))
    hang_up(protocol)
    assert edge.clock.getDelayedCalls() == []
    assert wire.value().count(b" 404 ") == AT_ONCE
    last = b"GET /x HTTP/1.0\r\n\r\n"
    wire = edge.send(QUICK * (AT_ONCE - 1) + last + QUICK)
    assert (wire.value().count(b" 404 "), wire.is_closed) == (AT_ONCE, True)


def test_a_body_is_asked_for() -> None:
    """Once, before it has come, and only where the request may have it."""
    edge = Edge()
    expect = HOST + b"Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n"
    protocol, wire = edge.connect()
    protocol.dataReceived(b"POST /x HTTP/1.1\r\n" + expect)
    assert wire.value() == b"HTTP/1.1 100 Continue\r\n\r\n"
    protocol.dataReceived(b"abc")
    assert re.findall(rb"HTTP/1.1 (\d+)", wire.value()) == [b"100", b"404"]
    for head in (b"POST /x HTTP/1.0\r\n", b"GET /x HTTP/1.1\r\n"):
        assert b" 100 " not in edge.send(head + expect).value()
    assert (
        b" 100 "
        not in edge.send(b"GET /x HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n\r\n").value()
    )


@pytest.mark.parametrize(
    ("head", "says_so"),
    [
        (b"GET /x HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", True),
        (b"GET /v2/A/tags/list HTTP/1.1\r\n" + HOST + b"Connection: x, close\r\n\r\n", True),
        (b"GET /x HTTP/1.0\r\n\r\n", True),
        (b"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n", False),
    ],
)
def test_the_last_answer_says_so(head: bytes, says_so: bool) -> None:
    """And ends the connection; what is behind the question is not looked at."""
    edge = Edge()
    protocol, wire = edge.connect()
    protocol.dataReceived(head + QUICK)
    protocol.dataReceived(QUICK)
    assert ("Connection: close" in wire.head(), wire.is_closed) == (says_so, says_so)
    assert wire.value().count(b"HTTP/1.") == (1 if says_so else 3)


def test_a_mirror_that_ends_says_so() -> None:
    """A client whose connection is kept hears it with its next answer, and gets that."""
    edge = Edge()
    held = Held(edge)
    protocol, wire = edge.connect()
    protocol.dataReceived(SLOW)
    edge.site.drain(30)
    held.release()
    assert b"Connection: close" not in wire.value()
    assert not wire.is_closed
    protocol.dataReceived(QUICK)
    assert wire.is_closed
    assert wire.value().count(b"HTTP/1.1 ") == 2
    assert wire.value().count(b"Connection: close") == 1


def test_a_mirror_that_ends_waits_for_one_more_request() -> None:
    """But not for long."""
    edge = Edge()
    held = Held(edge)
    protocol, wire = edge.connect()
    protocol.dataReceived(SLOW)
    edge.site.drain(30)
    edge.clock.advance(LAST_CALL + 1)
    held.release()
    edge.clock.advance(LAST_CALL - 0.1)
    assert not wire.is_closed
    edge.clock.advance(0.1)
    assert wire.is_closed


def test_a_connection_that_does_not_end_is_cut() -> None:
    """Whoever neither reads the end of an answer nor goes away is not waited for for ever."""
    edge = Edge(limits=Limits(send_timeout=50))
    cut: list[None] = []
    protocol, wire = edge.connect()
    wire.abortConnection = lambda: cut.append(None)  # type: ignore[method-assign]
    protocol.dataReceived(b"GET /x HTTP/1.0\r\n\r\n")
    edge.clock.advance(49)
    assert cut == []
    edge.clock.advance(1)
    assert cut == [None]


def test_what_waited_must_be_whole_in_time() -> None:
    """A part of a request, come while another was answered, has its time from then on."""
    edge = Edge()
    held = Held(edge)
    protocol, wire = edge.connect()
    protocol.dataReceived(SLOW + b"GET /x")
    edge.clock.advance(20)
    held.release()
    edge.clock.advance(9)
    assert not wire.hung_up
    edge.clock.advance(1)
    assert re.findall(rb"HTTP/1.1 (\d+)", wire.value()) == [b"200", b"408"]


def test_producers_that_must_be_pulled_are_refused() -> None:
    """None here has to be, and one at a time."""
    protocol, _ = Edge().connect()
    producer: Any = object()
    with pytest.raises(RuntimeError):
        protocol.registerProducer(producer, False)
    protocol.registerProducer(producer, True)
    with pytest.raises(RuntimeError):
        protocol.registerProducer(producer, True)
    protocol.unregisterProducer()
    protocol.registerProducer(producer, True)


def test_whose_listener_ends_is_told() -> None:
    """With its next answer, as when the mirror ends; others stay."""
    edge = Edge()
    port, other = object(), object()
    gone, wire = edge.connect()
    stays, other_wire = edge.connect()
    wire.server, other_wire.server = port, other  # type: ignore[attr-defined]
    for protocol in (gone, stays):
        protocol.dataReceived(QUICK)
    edge.site.dismiss([port])
    for protocol in (gone, stays):
        protocol.dataReceived(QUICK)
    assert (wire.is_closed, other_wire.is_closed) == (True, False)
    assert wire.value().count(b"HTTP/1.1 ") == 2
    assert wire.value().count(b"Connection: close") == 1


def test_whose_listener_ends_has_a_moment() -> None:
    """Who asks for nothing more goes soon."""
    edge = Edge()
    port = object()
    protocol, wire = edge.connect()
    wire.server = port  # type: ignore[attr-defined]
    protocol.dataReceived(QUICK)
    edge.site.dismiss([port])
    edge.clock.advance(LAST_CALL - 0.1)
    assert not wire.is_closed
    edge.clock.advance(0.1)
    assert wire.is_closed
