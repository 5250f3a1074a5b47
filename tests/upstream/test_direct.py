"""Tests of hubmirror.upstream.direct."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import error
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from hubmirror.errors import UpstreamRefused
from hubmirror.upstream.direct import DirectEndpoint


def connect(
    reactor: MemoryReactorClock, addresses: Deferred[tuple[str, ...]], host: str = "hub.example"
) -> list[Any]:
    """The outcome of connecting to port 443, as it comes."""
    outcome: list[Any] = []
    endpoint = DirectEndpoint(reactor, lambda _: addresses, host, 443)
    endpoint.connect(Factory.forProtocol(Protocol)).addBoth(outcome.append)
    return outcome


def targets(reactor: MemoryReactorClock) -> list[tuple[str, int]]:
    return [(client[0], client[1]) for client in reactor.tcpClients]


@pytest.mark.parametrize("host", ["hub.example", "my_registry", "x" * 80])
def test_connects_to_the_address_that_was_judged(host: str) -> None:
    """The name is not looked up once more, whatever it looks like."""
    reactor = MemoryReactorClock()
    connect(reactor, succeed(("192.0.2.1",)), host)
    assert targets(reactor) == [("192.0.2.1", 443)]


def test_races_the_addresses() -> None:
    """When the first address does not answer, the next is tried beside it."""
    reactor = MemoryReactorClock()
    connect(reactor, succeed(("2001:db8::1", "192.0.2.1")))
    assert targets(reactor) == [("2001:db8::1", 443)]
    reactor.advance(0.5)
    assert targets(reactor) == [("2001:db8::1", 443), ("192.0.2.1", 443)]


def test_refusal_connects_to_nothing() -> None:
    """What the lookup fails with comes out as it is."""
    reactor = MemoryReactorClock()
    outcome = connect(reactor, fail(UpstreamRefused("not there")))
    assert outcome[0].check(UpstreamRefused)
    assert targets(reactor) == []


def test_connection_errors() -> None:
    """When all addresses fail, so does connecting, with Twisted's error."""
    reactor = MemoryReactorClock()
    outcome = connect(reactor, succeed(("192.0.2.1",)))
    factory = reactor.tcpClients[0][2]
    factory.clientConnectionFailed(reactor.connectors[0], Failure(error.ConnectionRefusedError()))
    reactor.advance(1)
    assert outcome[0].check(error.ConnectionRefusedError)
