"""Upstreams on loopback: real sockets, real TLS, and an agent to reach them with."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from hubmirror.upstream.agent import make_agent, make_pool
from hubmirror.upstream.guard import AddressGuard
from hubmirror.upstream.resolver import GuardedResolver

#: What a test waits for at most, in seconds.
PATIENCE = 10.0


class Upstream(Protocol):
    """Answers each request's end with ``factory.answer``, and notes what it saw."""

    factory: Any
    transport: Any

    def connectionMade(self) -> None:
        self.factory.connections += 1

    def dataReceived(self, data: bytes) -> None:
        self.factory.received += data
        if data.endswith(b"\r\n\r\n"):
            self.transport.write(self.factory.answer)


class Flood(Protocol):
    """Answers with a body that has no end: a pull producer of 64 KiB a turn."""

    factory: Any
    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
        self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        self.factory.sent += 1 << 16
        self.transport.write(bytes(1 << 16))

    def stopProducing(self) -> None:
        """The connection has ended."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.factory.ended.called:
            self.factory.ended.callback(None)


def upstream(body: bytes = b"hello") -> Any:
    """A factory whose ``received`` and ``connections`` tell what came."""
    factory: Any = Factory.forProtocol(Upstream)
    factory.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    factory.received = b""
    factory.connections = 0
    return factory


def flood() -> Any:
    """A factory that counts what it ``sent`` and fires ``ended``."""
    factory: Any = Factory.forProtocol(Flood)
    factory.sent = 0
    factory.ended = Deferred()
    return factory


class Loopback:
    """Listens on free ports of 127.0.0.1, makes agents, and ends them all."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.names: dict[str, str] = {}
        self.asked: list[str] = []
        self._ports: list[Any] = []
        self._pools: list[Any] = []

    def listen(self, factory: Any, certificate: Path | None = None) -> int:
        """Serve ``factory``; in TLS where ``certificate`` is given, its key beside it."""
        if certificate is not None:
            factory = TLSMemoryBIOFactory(_options(certificate), False, factory, self.reactor)
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self._ports.append(port)
        number: int = port.getHost().port
        return number

    def agent(self, *own_hosts: str, allow_private: tuple[str, ...] = (), **options: Any) -> IAgent:
        """An agent whose name server knows ``names``."""
        guard = AddressGuard(allow_private, own_hosts)
        resolver = GuardedResolver(self.reactor, guard, getaddrinfo=self._getaddrinfo)
        pool = make_pool(self.reactor)
        self._pools.append(pool)
        return make_agent(self.reactor, pool, guard=guard, resolver=resolver, **options)

    async def close(self) -> None:
        """End what listens and what is connected."""
        for pool in self._pools:
            await pool.closeCachedConnections()
        for port in self._ports:
            await port.stopListening()

    def _getaddrinfo(self, host: str, *_: object) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.names[host], 0))]


def _options(certificate: Path) -> CertificateOptions:
    pem = certificate.read_bytes() + certificate.with_suffix(".key").read_bytes()
    pair = PrivateCertificate.loadPEM(pem)
    return CertificateOptions(
        pair.privateKey.original, pair.original, acceptableProtocols=[b"http/1.1"]
    )


async def get(agent: IAgent, url: str, headers: Headers | None = None) -> tuple[int, bytes]:
    """Status and body of a GET."""
    response: IResponse = await agent.request(b"GET", url.encode(), headers)
    body = Collect()
    response.deliverBody(body)
    return response.code, await body.whole


class Collect(Protocol):
    """A response's body, whole."""

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._chunks: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self._chunks.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.whole.callback(b"".join(self._chunks))


class LeaveAt(Protocol):
    """A reader that calls ``leave`` with its transport when the first bytes have come."""

    def __init__(self, leave: Callable[[Any], None]) -> None:
        self._leave: Callable[[Any], None] | None = leave

    def dataReceived(self, data: bytes) -> None:
        if self._leave is not None:
            leave, self._leave = self._leave, None
            leave(self.transport)
