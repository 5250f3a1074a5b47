"""Tests of hubmirror.upstream.prelude."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, NoProtocol
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from hubmirror.upstream.prelude import Prelude


class Reader(Protocol):
    """The protocol proper: it keeps what it reads."""

    data = b""
    closed = False

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed = True


class OneLine(Prelude):
    """A prelude that is over at the first line's end."""

    def preludeReceived(self, data: bytes) -> None:
        self.hand_over(data.partition(b"\n")[2])


class Refusing(Factory):
    """Builds nothing."""

    def buildProtocol(self, addr: object) -> None:
        return None


def begin(factory: IProtocolFactory) -> tuple[OneLine, StringTransport]:
    prelude, transport = OneLine(factory), StringTransport()
    prelude.makeConnection(transport)
    return prelude, transport


def test_hands_over_with_what_is_left() -> None:
    """What came behind the prelude belongs to the protocol proper, and all that follows."""
    prelude, transport = begin(Factory.forProtocol(Reader))
    prelude.dataReceived(b"hello\nfirst ")
    prelude.dataReceived(b"second")
    found: list[Any] = []
    prelude.ready.addCallback(found.append)
    assert found[0].data == b"first second"
    assert found[0].transport is transport
    prelude.connectionLost(Failure(ConnectionDone()))
    assert found[0].closed


def test_connection_lost_before() -> None:
    """A connection that ends within the prelude fails it with the reason."""
    prelude, _ = begin(Factory.forProtocol(Reader))
    prelude.connectionLost(Failure(ConnectionDone()))
    failures: list[Failure] = []
    prelude.ready.addErrback(failures.append)
    assert failures[0].check(ConnectionDone)


def test_giving_up_ends_the_connection() -> None:
    """What comes after is not looked at any more."""
    prelude, transport = begin(Factory.forProtocol(Reader))
    failures: list[Failure] = []
    prelude.ready.addErrback(failures.append)
    prelude.give_up(Failure(ValueError()))
    prelude.dataReceived(b"late\n")
    prelude.connectionLost(Failure(ConnectionDone()))
    assert transport.disconnected
    assert [failure.type for failure in failures] == [ValueError]


def test_cancelling_ends_the_connection() -> None:
    """Who does not want the connection any more closes it by cancelling."""
    prelude, transport = begin(Factory.forProtocol(Reader))
    prelude.ready.addErrback(lambda _: None)
    prelude.ready.cancel()
    prelude.dataReceived(b"late\n")
    assert transport.disconnected


def test_no_protocol() -> None:
    """A factory that refuses ends the connection, as Twisted's endpoints have it."""
    prelude, transport = begin(Refusing())
    failures: list[Failure] = []
    prelude.ready.addErrback(failures.append)
    prelude.dataReceived(b"hello\n")
    assert failures[0].check(NoProtocol)
    assert transport.disconnected
