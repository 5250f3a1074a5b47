"""Telling events to somebody else's server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import TCPTimedOutError
from twisted.internet.task import Clock, deferLater
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.web.resource import Resource
from twisted.web.server import Request, Site
from zope.interface import implementer

from hubmirror.errors import UpstreamRefused
from hubmirror.webhook import MOST, Webhook, open_webhook, webhook_client
from tests.conftest import LoggedFailures
from tests.upstream.wire import Connection, Wire

URL = "https://chat.example:8443/s3cret?key=s3cret"
EVENT: dict[str, object] = {"event": "quota", "percent": 80}


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged of webhooks."""
    logged: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        is_ours = event["log_namespace"].startswith("hubmirror.webhook")
        if is_ours and event["log_level"] > LogLevel.debug:
            logged.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield logged
    globalLogPublisher.removeObserver(observe)


@define
class _Told:
    """A webhook on a wire."""

    clock: Clock = field(factory=Clock)
    closed: list[bool] = field(factory=list)
    wire: Wire = field(init=False)
    webhook: Webhook = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.wire = Wire(self.clock)
        client = webhook_client(self.wire.http, self.clock)
        self.webhook = Webhook(client, URL, self.clock, self._close)

    def _close(self) -> Deferred[None]:
        self.closed.append(True)
        return succeed(None)

    def tries(self) -> int:
        """How many requests went out, each on a connection of its own."""
        return len(self.wire.connections)

    def answer(self, status: str, fields: str = "") -> None:
        """The latest request gets this."""
        head = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{fields}\r\n"
        self.wire.connections[-1].receive(head.encode())


@pytest.fixture
def told() -> _Told:
    return _Told()


def request_of(connection: Connection) -> tuple[bytes, set[bytes], Any]:
    """The first line, the fields and the JSON of what was sent."""
    head, _, body = connection.sent.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    return first, set(fields), json.loads(body)


def test_an_event(told: _Told, lines: list[str]) -> None:
    """It is a POST of JSON; nothing more comes after a 2xx."""
    told.webhook.tell(EVENT)
    first, fields, body = request_of(told.wire.connections[0])
    assert first == b"POST /s3cret?key=s3cret HTTP/1.1"
    assert {
        b"Host: chat.example:8443",
        b"Content-Type: application/json",
        b"User-Agent: hubmirror",
    } < fields
    assert body == EVENT
    told.answer("204 No Content")
    told.clock.advance(60)
    assert told.tries() == 1
    assert not lines
    assert not told.clock.getDelayedCalls()


@pytest.mark.parametrize(
    "status", ["500 No", "503 No", "408 No", "429 No\r\nRetry-After: 1"], ids=lambda text: text[:3]
)
def test_an_answer_that_may_change(told: _Told, lines: list[str], status: str) -> None:
    """It is asked for twice more, after a second and after five."""
    told.webhook.tell(EVENT)
    told.answer(status)
    told.clock.advance(0.9)
    assert told.tries() == 1
    told.clock.advance(0.2)
    assert told.tries() == 2
    told.answer(status)
    told.clock.advance(4.8)
    assert told.tries() == 2
    told.clock.advance(0.3)
    assert told.tries() == 3
    told.answer("200 OK")
    assert request_of(told.wire.connections[2])[2] == EVENT
    assert not lines


@pytest.mark.parametrize("status", ["302 Found", "400 No", "404 No", "410 Gone"])
def test_an_answer_that_will_not_change(told: _Told, lines: list[str], status: str) -> None:
    """One try is enough, and no redirect is followed; the log has the host and nothing more."""
    told.webhook.tell(EVENT)
    told.answer(status, "Location: http://169.254.169.254/\r\n")
    told.clock.advance(60)
    assert told.tries() == 1
    assert lines == [
        "an event could not be told to the webhook at chat.example: it answered " + status[:3]
    ]


def test_a_server_that_is_not_there(told: _Told, lines: list[str]) -> None:
    """Three tries, and then it is logged."""
    told.wire.refusals = [TCPTimedOutError() for _ in range(3)]
    told.webhook.tell(EVENT)
    told.clock.pump([1.0, 5.0, 60.0])
    assert not told.wire.refusals
    assert told.tries() == 0
    (line,) = lines
    assert "chat.example" in line
    assert "s3cret" not in line


def test_a_server_that_does_not_answer(told: _Told, lines: list[str]) -> None:
    """Each try has ten seconds."""
    told.webhook.tell(EVENT)
    told.clock.pump([9.9, 0.2, 1.0])
    assert told.tries() == 2
    told.clock.pump([10.0, 5.0, 9.9])
    assert told.tries() == 3
    assert not lines
    told.clock.advance(0.2)
    (line,) = lines
    assert "did not answer within 10 seconds" in line


def test_a_server_that_may_not_be_reached(told: _Told, lines: list[str]) -> None:
    """Asking again would end in the same way."""
    told.wire.refusals = [UpstreamRefused("it is private"), TCPTimedOutError()]
    told.webhook.tell(EVENT)
    told.clock.advance(60)
    assert len(told.wire.refusals) == 1
    assert lines[0].endswith("it is private")


def test_what_is_no_json(told: _Told, logged_failures: LoggedFailures) -> None:
    """A defect of ours is logged, and hurts nobody who tells."""
    told.webhook.tell({"event": object()})
    assert len(logged_failures.take(TypeError)) == 1


def test_the_end(told: _Told, lines: list[str]) -> None:
    """What is on its way is given up, and connections are closed."""
    told.webhook.tell(EVENT)
    told.webhook.tell(EVENT)
    told.answer("500 No")
    closing = Deferred.fromCoroutine(told.webhook.close())
    assert closing.called
    assert told.closed == [True]
    assert not told.clock.getDelayedCalls()
    assert [line.rpartition(": ")[2] for line in lines] == ["the mirror closes it"] * 2


def test_a_flood(told: _Told, lines: list[str]) -> None:
    """What can't be told in time does not gather."""
    for _ in range(MOST + 1):
        told.webhook.tell(EVENT)
    assert told.tries() == MOST
    (line,) = lines
    assert "too many" in line
    Deferred.fromCoroutine(told.webhook.close())


class _Hook(Resource):
    """Takes events, and leads elsewhere."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def render_POST(self, request: Request) -> bytes:
        assert request.content is not None
        self.bodies.append(request.content.read())
        request.setResponseCode(307)
        request.setHeader("Location", "/elsewhere")
        return b"x"


@pytest_twisted.ensureDeferred
async def test_over_a_socket(reactor: Any, lines: list[str]) -> None:
    """Its own host may be at a private address; connections don't outlive it."""
    hook = _Hook()
    port = reactor.listenTCP(0, Site(hook, reactor=reactor), interface="127.0.0.1")
    webhook = open_webhook(reactor, f"http://127.0.0.1:{port.getHost().port}/s3cret")
    webhook.tell(EVENT)
    for _ in range(2000):
        if lines:
            break
        await deferLater(reactor, 0.005, lambda: None)
    await webhook.close()
    await port.stopListening()
    assert [json.loads(body) for body in hook.bodies] == [EVENT]
    assert lines == ["an event could not be told to the webhook at 127.0.0.1: it answered 307"]
