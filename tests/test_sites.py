"""The two HTTP servers, which share what a configuration says."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.web.resource import Resource

from hubmirror.registry.channel import LAST_CALL, Limits
from hubmirror.registry.site import Frontage, MirrorSite
from hubmirror.sites import Served, Sites
from tests.registry.edge import Wire


class Word(Resource):
    """Answers with one word."""

    isLeaf = True

    def __init__(self, word: bytes) -> None:
        super().__init__()
        self._word = word

    def render_GET(self, _request: object) -> bytes:
        return self._word


def served(clients: bytes, watchers: bytes, limits: Limits | None = None) -> Served:
    """A word for each site."""
    return Served(Word(clients), Word(watchers), limits or Limits(), Frontage())


def connect(site: MirrorSite) -> Wire:
    """A connection on which one request has been sent."""
    wire = Wire("192.0.2.1")
    protocol = site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 40000))
    protocol.makeConnection(wire)
    protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return wire


def test_each_serves_its_own() -> None:
    """Those who watch get nothing of what clients get."""
    sites = Sites(Clock(), served(b"pull", b"watch"))
    assert connect(sites.clients).body() == b"pull"
    assert connect(sites.watchers).body() == b"watch"


def test_both_go_over_to_another_configuration() -> None:
    """Resources and limits, from the next connection on."""
    sites = Sites(Clock(), served(b"old", b"old"))
    sites.serve(served(b"pull", b"watch", Limits(max_connections=1)))
    assert connect(sites.clients).body() == b"pull"
    assert connect(sites.watchers).body() == b"watch"
    assert connect(sites.clients).status() == 503


def test_a_drain_waits_for_both() -> None:
    """Idle connections end soon; the Deferred fires when all are gone."""
    clock = Clock()
    sites = Sites(clock, served(b"pull", b"watch"))
    wires = [connect(sites.clients), connect(sites.watchers)]
    fired: list[object] = []
    sites.drain(10).addCallback(fired.append)
    clock.advance(LAST_CALL)
    assert all(wire.is_closed for wire in wires)
    assert fired == []
    sites.cut()
    assert not fired  # the transport tells when it is closed


def test_a_cut_ends_both() -> None:
    """At once."""
    sites = Sites(Clock(), served(b"pull", b"watch"))
    wires = [connect(sites.clients), connect(sites.watchers)]
    sites.cut()
    assert all(wire.is_closed for wire in wires)
