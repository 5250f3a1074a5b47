"""Connections are counted, limited and drained; each request has its line in the log."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import provider

from hubmirror.registry.channel import LAST_CALL, Limits
from hubmirror.registry.site import Frontage
from tests.registry.edge import Edge, hang_up

REQUEST = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """The access log's lines while a test runs."""
    seen: list[dict[str, Any]] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if "access" in event:
            seen.append(event["access"])

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


def test_limits_connections_in_all() -> None:
    """Over the limit: 503 and the end, until another one has gone."""
    edge = Edge(limits=Limits(max_connections=2))
    first, _ = edge.connect("192.0.2.1")
    edge.connect("192.0.2.2")
    _, wire = edge.connect("192.0.2.3")
    assert wire.status() == 503
    assert "Retry-After" in wire.head()
    assert wire.hung_up
    hang_up(first)
    _, wire = edge.connect("192.0.2.3")
    assert not wire.hung_up


def test_limits_connections_of_each_client() -> None:
    """One client's greed is that client's: 429; others come in."""
    edge = Edge(limits=Limits(max_connections_per_client=1))
    edge.connect("192.0.2.1")
    _, wire = edge.connect("192.0.2.1")
    assert wire.status() == 429
    _, wire = edge.connect("192.0.2.2")
    assert not wire.hung_up


def test_a_trusted_proxy_is_no_client() -> None:
    """All clients behind it share its address."""
    frontage = Frontage(trusted_proxies=(ip_network("192.0.2.1/32"),))
    edge = Edge(limits=Limits(max_connections_per_client=1), frontage=frontage)
    edge.connect("192.0.2.1")
    _, wire = edge.connect("192.0.2.1")
    assert not wire.hung_up


def test_an_ipv6_client_has_a_whole_network() -> None:
    """Addresses of one /64 count as one client."""
    edge = Edge(limits=Limits(max_connections_per_client=1))
    edge.connect("2001:db8::1")
    _, wire = edge.connect("2001:db8::2")
    assert wire.status() == 429
    _, wire = edge.connect("2001:db8:0:1::1")
    assert not wire.hung_up


def test_drain_ends_what_is_idle_and_waits_for_the_rest() -> None:
    """Idle connections end soon; nothing new is taken; the last one's end is the end."""
    edge = Edge()
    done: list[None] = []
    idle, idle_wire = edge.connect()
    busy, busy_wire = edge.hang()
    edge.site.drain(30).addCallback(done.append)
    assert (idle_wire.is_closed, busy_wire.is_closed, done) == (False, False, [])
    edge.clock.advance(LAST_CALL)
    assert (idle_wire.is_closed, busy_wire.is_closed, done) == (True, False, [])
    hang_up(idle)
    assert done == []
    hang_up(busy)
    assert done == [None]
    _, wire = edge.connect()
    assert wire.status() == 503


def test_drain_cuts_what_takes_too_long() -> None:
    """After the grace time nobody is waited for."""
    edge = Edge()
    _, wire = edge.hang()
    edge.site.drain(20)
    edge.clock.advance(19)
    assert not wire.is_closed
    edge.clock.advance(1)
    assert wire.is_closed


def test_drain_without_connections_is_over_at_once() -> None:
    """Nothing to wait for."""
    edge = Edge()
    done: list[None] = []
    edge.site.drain(30).addCallback(done.append)
    assert done == [None]
    assert edge.clock.getDelayedCalls() == []


def test_each_request_has_one_line(lines: list[dict[str, Any]]) -> None:
    """With the client, what was asked, what came of it, and an id that the client got, too."""
    wire = Edge().get("/v2/busybox/tags/list?n=5&ns=docker.io")
    (line,) = lines
    assert line["client"] == "192.0.2.1"
    assert line["method"] == "GET"
    assert line["path"] == "/v2/busybox/tags/list?n=5&ns=docker.io"
    assert line["status"] == 200
    assert line["seconds"] == 0
    assert line["upstream"] == 0
    assert f"X-Request-Id: {line['id']}" in wire.head()


def test_secrets_stay_out_of_the_log(lines: list[dict[str, Any]]) -> None:
    """Neither a query's other parameters, nor a form, nor credentials are logged."""
    edge = Edge()
    edge.get("/token?scope=repository:a:pull&password=hunter2", "Authorization: Basic aHVudGVyMg==")
    form = b"password=hunter2"
    edge.get(
        "/token",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(form)}",
        method="POST",
        body=form,
    )
    assert lines[0]["path"] == "/token?scope=repository:a:pull&password=-"
    assert "hunter2" not in repr(lines)
    assert "aHVudGVyMg" not in repr(lines)


def test_a_client_that_leaves_has_its_line(lines: list[dict[str, Any]]) -> None:
    """Also without an answer: 499, as nginx has it."""
    edge = Edge()
    protocol, _ = edge.hang()
    hang_up(protocol)
    (line,) = lines
    assert (line["status"], line["aborted"]) == (499, True)


def test_refused_connections_have_their_line(lines: list[dict[str, Any]]) -> None:
    """An operator sees what is turned away, and why."""
    edge = Edge(limits=Limits(max_connections=0))
    edge.connect()
    Edge().send(b"nonsense\r\n")
    assert [line["status"] for line in lines] == [503, 400]


def test_an_address_without_a_host_is_let_in() -> None:
    """A unix socket's peer has none."""
    assert Edge().site.buildProtocol(None) is not None
    assert Edge().site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1)) is not None
