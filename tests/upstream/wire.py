"""Connections to an upstream whose every byte the test writes."""

from __future__ import annotations

from attrs import define
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from hubmirror.upstream.client import http_client

__all__ = ["Connection", "Wire"]


@define
class Connection:
    """One connection: what the mirror has written, and its state of reading."""

    protocol: IProtocol
    transport: StringTransport

    def receive(self, data: bytes) -> None:
        """The upstream sends ``data``."""
        self.protocol.dataReceived(data)

    def lose(self, error: Exception | None = None) -> None:
        """The connection ends."""
        self.protocol.connectionLost(Failure(error or ConnectionDone()))

    @property
    def sent(self) -> bytes:
        return bytes(self.transport.value())

    @property
    def is_closed(self) -> bool:
        return bool(self.transport.disconnecting)

    @property
    def is_paused(self) -> bool:
        return self.transport.producerState == "paused"


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
class Wire:
    """A network: ``connections`` are those made up to now; ``refusals`` fail the next ones."""

    def __init__(self, clock: Clock) -> None:
        self.connections: list[Connection] = []
        self.refusals: list[Exception] = []
        pool = HTTPConnectionPool(clock)
        self.http = http_client(Agent.usingEndpointFactory(clock, self, pool))

    def endpointForURI(self, uri: URI) -> Wire:
        return self

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        if self.refusals:
            return fail(self.refusals.pop(0))
        protocol = factory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        transport = StringTransport(lenient=True)  # as sockets are: a late call is no error
        protocol.makeConnection(transport)
        self.connections.append(Connection(protocol, transport))
        return succeed(protocol)
