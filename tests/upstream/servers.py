"""Upstreams on loopback: real sockets, real TLS, and an agent to reach them with."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer

from hubmirror.upstream.agent import make_agent, make_pool
from hubmirror.upstream.guard import AddressGuard
from hubmirror.upstream.resolver import GuardedResolver

#: What a test waits for at most, in seconds.
PATIENCE = 10.0
#: The options of a TLS server whose sessions can be taken up again.
RESUMABLE: dict[str, Any] = {"enableSessions": True, "enableSessionTickets": True}


@implementer(IHandshakeListener)
class Upstream(Protocol):
    """Answers each request's end with ``factory.answer``, and notes what it saw."""

    factory: Any
    transport: Any

    def connectionMade(self) -> None:
        self.factory.connections += 1

    def handshakeCompleted(self) -> None:
        self.factory.resumed.append(is_resumed(self.transport.getHandle()))

    def dataReceived(self, data: bytes) -> None:
        self.factory.received += data
        if data.endswith(b"\r\n\r\n"):
            self.transport.write(self.factory.answer)
            if self.factory.is_last:
                self.transport.loseConnection()


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


def upstream(body: bytes = b"hello", *, is_last: bool = False) -> Any:
    """A factory whose ``received`` and ``connections`` tell what came.

    ``resumed`` tells of each connection in TLS whether it took a session up. After an answer that
    ``is_last`` the connection ends.
    """
    factory: Any = Factory.forProtocol(Upstream)
    fields = b"Connection: close\r\n" if is_last else b""
    head = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (fields, len(body))
    factory.answer = head + body
    factory.is_last = is_last
    factory.received = b""
    factory.connections = 0
    factory.resumed = []
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

    def listen(
        self, factory: Any, certificate: Path | None = None, port: int = 0, **options: Any
    ) -> int:
        """Serve ``factory``; in TLS where ``certificate`` is given, its key beside it.

        ``options`` are further ones of ``CertificateOptions``: ``RESUMABLE`` among them.
        """
        if certificate is not None:
            factory = self.in_tls(factory, certificate, **options)
        listening = self.reactor.listenTCP(port, factory, interface="127.0.0.1")
        self._ports.append(listening)
        number: int = listening.getHost().port
        return number

    def in_tls(self, factory: Any, certificate: Path, **options: Any) -> TLSMemoryBIOFactory:
        """``factory`` behind TLS."""
        tls = _options(certificate, **options)
        return TLSMemoryBIOFactory(tls, False, factory, self.reactor)

    def agent(
        self,
        *own_hosts: str,
        allow_private: tuple[str, ...] = (),
        idle_clock: IReactorTime | None = None,
        **options: Any,
    ) -> IAgent:
        """An agent whose name server knows ``names``; ``idle_clock`` is its pool's."""
        guard = AddressGuard(allow_private, own_hosts)
        resolver = GuardedResolver(self.reactor, guard, getaddrinfo=self._getaddrinfo)
        pool = make_pool(idle_clock or self.reactor)
        self._pools.append(pool)
        return make_agent(self.reactor, pool, guard=guard, resolver=resolver, **options)

    async def close(self) -> None:
        """End what listens and what is connected."""
        for pool in self._pools:
            await pool.closeCachedConnections()
        await self.close_ports()

    async def close_ports(self) -> None:
        """Listen no more."""
        ports, self._ports = self._ports, []
        for port in ports:
            await port.stopListening()

    def _getaddrinfo(self, host: str, *_: object) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.names[host], 0))]


def _options(certificate: Path, **options: Any) -> CertificateOptions:
    pem = certificate.read_bytes() + certificate.with_suffix(".key").read_bytes()
    pair = PrivateCertificate.loadPEM(pem)
    return CertificateOptions(
        pair.privateKey.original, pair.original, acceptableProtocols=[b"http/1.1"], **options
    )


async def get(agent: IAgent, url: str, headers: Headers | None = None) -> tuple[int, bytes]:
    """Status and body of a GET."""
    response: IResponse = await agent.request(b"GET", url.encode(), headers)
    body = Collect()
    response.deliverBody(body)
    return response.code, await body.whole


def is_resumed(connection: SSL.Connection) -> bool:
    """Whether the handshake took a session up (pyOpenSSL has no name for it)."""
    return bool(lib.SSL_session_reused(connection._ssl))


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
