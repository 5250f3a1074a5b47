"""A server on loopback, and blocking clients to run in threads against it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from attrs import frozen
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IListeningPort,
    IReactorFromThreads,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from hubmirror.certificates.server import ServerTLS
from hubmirror.transport.ports import TLSPort

T = TypeVar("T")

PATIENCE = 20.0


class Echo(Protocol):
    """Sends back what comes."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class IRealReactor(IReactorTCP, IReactorTime, IReactorFromThreads):
    """What the servers and the threads need of a reactor."""

    def getThreadPool() -> ThreadPool:
        """The pool in which clients may block."""


class Loopback:
    """Starts echo servers under TLS on free ports, and runs clients in threads."""

    def __init__(self, reactor: IRealReactor) -> None:
        self.reactor = reactor
        self._ports: list[IListeningPort] = []

    def listen(self, tls: ServerTLS) -> int:
        factory = Factory.forProtocol(Echo)
        port = TLSPort(0, factory, tls.secure, self.reactor, interface="127.0.0.1")
        port.startListening()
        self._ports.append(port)
        address = port.getHost()
        assert isinstance(address, IPv4Address)
        return address.port

    def run(self, client: Callable[..., T], *args: object) -> Deferred[T]:
        """Call ``client`` in a thread."""
        return deferToThreadPool(self.reactor, self.reactor.getThreadPool(), client, *args)

    async def close(self) -> None:
        for port in self._ports:
            await maybeDeferred(port.stopListening)


@frozen
class Greeting:
    """What a client saw of one connection."""

    version: str | None
    cipher: str
    alpn: str | None
    compression: str | None
    reused: bool | None
    session: ssl.SSLSession | None
    certificate: bytes | None


def trusting(
    *authorities: bytes,
    version: ssl.TLSVersion | None = None,
    alpn: tuple[str, ...] = (),
) -> ssl.SSLContext:
    """A client's context: trusts PEM ``authorities``, or anybody where none is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if authorities:
        context.load_verify_locations(cadata=b"".join(authorities).decode())
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def connect(
    port: int,
    context: ssl.SSLContext,
    name: str = "localhost",
    session: ssl.SSLSession | None = None,
) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    try:
        return context.wrap_socket(plain, server_hostname=name, session=session)
    except BaseException:
        plain.close()
        raise


def echo(connection: ssl.SSLSocket) -> bytes:
    connection.sendall(b"hello")
    return connection.recv(100)


def greet(
    port: int,
    context: ssl.SSLContext,
    name: str = "localhost",
    session: ssl.SSLSession | None = None,
) -> Greeting:
    """Connect, exchange a few bytes (TLS 1.3's tickets come with them), and hang up."""
    with connect(port, context, name, session) as connection:
        assert echo(connection) == b"hello"
        cipher = connection.cipher()
        seen = Greeting(
            version=connection.version(),
            cipher=cipher[0] if cipher else "",
            alpn=connection.selected_alpn_protocol(),
            compression=connection.compression(),
            reused=connection.session_reused,
            session=connection.session,
            certificate=connection.getpeercert(binary_form=True),
        )
        # OpenSSL forgets the session of a client that hangs up without a word.
        connection.unwrap().close()
        return seen
