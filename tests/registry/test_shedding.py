"""Overload is noticed by how late the reactor is, and a share of requests is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.web.server import NOT_DONE_YET
from zope.interface import provider

from hubmirror.registry.message import Message
from hubmirror.registry.root import Root
from hubmirror.registry.shedding import (
    EXEMPT,
    INTERVAL,
    QUIET,
    TARGET,
    TICK,
    Shedding,
    overloaded_response,
)
from tests.registry.edge import Edge

PULL = b"/v2/a/manifests/1"


class Late(Clock):
    """A reactor whose every turn takes ``turn`` seconds."""

    def run(self, seconds: float, turn: float) -> None:
        """Take turns for so long."""
        end = self.seconds() + seconds
        while self.seconds() < end:
            self.advance(turn)


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What is logged of it."""
    lines: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == Shedding.__module__ + ".Shedding":
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def started() -> tuple[Late, Shedding]:
    """On a clock of its own."""
    clock = Late()
    shedding = Shedding(clock)
    shedding.start()
    return clock, shedding


def refused(shedding: Shedding, number: int = 1000, target: bytes = PULL) -> int:
    """How many of so many requests are."""
    return sum(shedding.refuses(target) for _ in range(number))


@pytest.mark.parametrize("turn", [0.001, TICK, TARGET])
def test_short_turns_are_no_overload(turn: float) -> None:
    """However many of them."""
    clock, shedding = started()
    clock.run(30, turn)
    assert refused(shedding) == 0


def test_a_moment_is_no_overload(told: list[str]) -> None:
    """A process that was stopped, or waited for a disk, goes on as if nothing had been."""
    clock, shedding = started()
    for _ in range(5):
        clock.advance(20)
        clock.run(2 * INTERVAL, TICK)
    assert refused(shedding) == 0
    assert told == []


def test_a_clock_that_is_set_is_no_overload() -> None:
    """Nor are several, one after the other: a wall clock's leap is nobody's wait."""
    clock, shedding = started()
    for _ in range(20):
        clock.advance(3600)
    assert shedding.share == 0


def test_a_queue_that_comes_and_goes_is_no_overload() -> None:
    """As long as it is worked off in between, within each interval."""
    clock, shedding = started()
    for _ in range(20):
        clock.advance(2 * TARGET)
        clock.run(2 * TICK, TICK)
    assert refused(shedding) == 0


def test_a_queue_that_stays_is_overload() -> None:
    """More is refused the longer it stays: in the end all but what is exempt."""
    clock, shedding = started()
    shares = []
    for _ in range(5):
        clock.run(INTERVAL, INTERVAL + TARGET)
        clock.run(INTERVAL, INTERVAL + TARGET)
        shares.append(refused(shedding))
    assert shares == [250, 500, 750, 1000, 1000]
    assert shedding.refused == sum(shares)
    for path in EXEMPT:
        assert refused(shedding, target=path) == refused(shedding, target=path + b"?x=1") == 0
    assert shedding.refused == sum(shares)


def test_it_falls_more_slowly_than_it_rises(told: list[str]) -> None:
    """Else all would come back at once. It is told when it begins and when it is over."""
    clock, shedding = started()
    clock.run(3 * INTERVAL, 2 * INTERVAL)
    assert refused(shedding) == 250
    assert len(told) == 1
    assert "waits for 0.90 s" in told[0]
    clock.run(INTERVAL + TICK, TICK / 2)
    assert refused(shedding) == 125
    clock.run(INTERVAL + TICK, TICK / 2)
    assert refused(shedding) == 0
    clock.run(QUIET - INTERVAL, TICK / 2)
    assert len(told) == 1
    clock.run(2 * INTERVAL, TICK / 2)
    assert told[1:] == ["the overload is over: 375 requests were refused in 1 s"]


def test_an_overload_that_returns_is_the_same_one(told: list[str]) -> None:
    """No line for each time that a share is refused."""
    clock, shedding = started()
    for _ in range(10):
        clock.run(5 * INTERVAL, 2 * INTERVAL)
        clock.run(QUIET / 2, TICK / 2)
        assert not shedding.share
    assert len(told) == 1


def test_nothing_is_measured_before_and_after() -> None:
    """Nothing is left in the clock, and nothing refused."""
    clock = Late()
    shedding = Shedding(clock)
    assert clock.getDelayedCalls() == []
    shedding.start()
    shedding.start()
    clock.run(3 * INTERVAL, 2 * INTERVAL)
    assert shedding.share
    shedding.stop()
    shedding.stop()
    assert clock.getDelayedCalls() == []
    assert refused(shedding) == 0


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("is_last", [True, False])
def test_a_refusal_is_a_whole_response(method: bytes, is_last: bool) -> None:
    """With the registry's JSON, and when to come back."""
    message = Message(method, PULL, b"HTTP/1.1", {}, is_persistent=not is_last)
    data, sent = overloaded_response(message, is_last=is_last)
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    fields = dict(line.split(": ") for line in lines)
    assert status == "HTTP/1.1 503 Service Unavailable"
    assert fields["Retry-After"] == "1"
    assert fields.get("Connection") == ("close" if is_last else None)
    assert sent == len(body)
    if method == b"GET":
        assert int(fields["Content-Length"]) == len(body)
        assert json.loads(body)["errors"][0]["code"] == "UNAVAILABLE"
    else:
        assert body == b""
        assert int(fields["Content-Length"]) > 0


def overload(edge: Edge) -> None:
    """Let ``edge`` come to refuse everything."""
    edge.site.startFactory()
    for _ in range(20):
        edge.clock.advance(2 * INTERVAL)
    assert edge.site.shedding.share == 1


def lines_of(edge: Edge) -> list[dict[str, Any]]:
    """The access log's lines to come."""
    lines: list[dict[str, Any]] = []
    edge.site.log_request = lines.append  # type: ignore[method-assign,assignment]
    return lines


@pytest.mark.parametrize("path", ["/v2/", "/v2/a/manifests/1", "/token", "/x"])
def test_nothing_is_done_for_what_is_refused(path: str) -> None:
    """Neither asked upstream nor counted; it has its line; the connection is kept."""
    edge = Edge()
    overload(edge)
    lines = lines_of(edge)
    wire = edge.get(path)
    assert wire.status() == 503
    assert wire.error()["code"] == "UNAVAILABLE"
    assert not wire.hung_up
    assert edge.upstream.requests == []
    assert edge.quota.day().used == 0
    (line,) = lines
    assert (line["status"], line["path"], line["why"]) == (503, path, "overload")
    assert line["bytes"] == len(wire.body())


def test_what_was_accepted_ends() -> None:
    """An answer under way goes on; the next question on its connection is refused."""
    edge = Edge()
    waiting: list[Any] = []

    def hold(request: Any) -> int:
        waiting.append(request)
        return NOT_DONE_YET

    edge.upstream.answer = hold
    protocol, wire = edge.connect()
    protocol.dataReceived(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
    overload(edge)
    assert protocol.is_busy
    protocol.dataReceived(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
    assert wire.value() == b""
    waiting[0].write(b"{}")
    waiting[0].finish()
    edge.settle()
    assert wire.value().startswith(b"HTTP/1.1 200 OK\r\n")
    assert wire.value().count(b"HTTP/1.1 503 ") == 1


def test_some_connections_are_not_refused() -> None:
    """Those of this mirror itself, for one; nor are those who watch it where nobody pulls."""
    edge = Edge()
    overload(edge)
    protocol, wire = edge.connect()
    protocol.is_refusable = False
    protocol.dataReceived(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
    edge.settle()
    assert wire.status() == 200
    edge.site.resource = Root({})
    assert edge.get("/quota").status() == 404


def test_a_last_request_that_is_refused_ends_its_connection() -> None:
    """As its answer says."""
    edge = Edge()
    overload(edge)
    wire = edge.get("/v2/", "Connection: close")
    assert "Connection: close" in wire.head()
    assert wire.is_closed


def test_it_ends_with_listening() -> None:
    """A site that nobody listens for measures nothing."""
    edge = Edge()
    overload(edge)
    edge.site.stopFactory()
    assert edge.clock.getDelayedCalls() == []
    assert edge.get("/v2/").status() == 200
