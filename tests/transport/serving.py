"""A server on loopback, plain or under TLS, and blocking clients to run in threads against it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any, TypeVar, cast

from OpenSSL import SSL
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from hubmirror.transport.ports import PlainPort, TLSPort
from hubmirror.transport.tls import Secure

T = TypeVar("T")

PATIENCE = 20


class End(Protocol):
    """The server's end of a connection: notes what happens to it; ``lost`` is why it ended."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.made: Deferred[None] = Deferred()
        self.lost: Deferred[BaseException] = Deferred()
        self.losses = 0

    @property
    def wire(self) -> Any:
        """Its transport."""
        return self.transport

    def connectionMade(self) -> None:
        self.made.callback(None)

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.losses += 1
        self.lost.callback(cast(BaseException, reason.value))


class Echo(End):
    """Sends back what comes."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.wire.write(data)


class Timed:
    """The real reactor, but for its clock."""

    def __init__(self, reactor: Any, clock: Clock) -> None:
        self._reactor = reactor
        self.callLater = clock.callLater

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


class Serving:
    """Listens for ``Peer``s; ``secure``: under TLS."""

    def __init__(self, reactor: Any, secure: Secure | None) -> None:
        self.reactor = reactor
        self.secure = secure
        self._ports: list[Any] = []
        self._clocks: list[Clock] = []

    def listen(self, build: Callable[[], IProtocol], clock: Clock | None = None) -> int:
        """Each connection gets a protocol of ``build``; the port's number."""
        return self.listen_with(cast(Any, Factory).forProtocol(build), clock)

    def listen_with(self, factory: Any, clock: Clock | None = None) -> int:
        """The same with a ``factory``; TLS's own times go by ``clock``, if given."""
        factory.noisy = False
        port: Any
        if self.secure is None:
            port = PlainPort(0, factory, self.reactor, interface="127.0.0.1")
        else:
            reactor = self.reactor
            if clock is not None:
                reactor = Timed(reactor, clock)
                self._clocks.append(clock)
            port = TLSPort(0, factory, self.secure, reactor, interface="127.0.0.1")
        port.startListening()
        self._ports.append(port)
        return int(port.getHost().port)

    async def open(self, end: End) -> Peer:
        """A client's connection to ``end``."""
        port = self.listen(lambda: end)
        peer = await self.run(Peer, port, self.secure is not None)
        await end.made
        return peer

    def run(self, client: Callable[..., T], *args: object) -> Deferred[T]:
        """Call ``client``, which may block, in a thread."""
        return deferToThreadPool(self.reactor, self.reactor.getThreadPool(), client, *args)

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the reactor turn until ``condition`` holds."""
        for _ in range(PATIENCE * 500):
            if condition():
                return
            await deferLater(self.reactor, 0.002, lambda: None)
        raise AssertionError("it never happened")

    async def turns(self, number: int = 50) -> None:
        """Let the reactor turn a few times."""
        for _ in range(number):
            await deferLater(self.reactor, 0.001, lambda: None)

    async def close(self) -> None:
        """Listen no more."""
        stopping = [maybeDeferred(port.stopListening) for port in self._ports]
        for clock in self._clocks:
            clock.advance(0)
        for stopped in stopping:
            await stopped


def dial(port: int, receive_buffer: int | None = None) -> socket.socket:
    """A TCP connection that blocks, but not for ever."""
    dialled = socket.socket()
    if receive_buffer is not None:
        dialled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    # Not settimeout: that makes the socket non-blocking, which pyOpenSSL doesn't hide.
    limit = struct.pack("ll", PATIENCE, 0)
    dialled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    dialled.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    dialled.connect(("127.0.0.1", port))
    return dialled


def client_context() -> SSL.Context:
    """A client's that trusts anybody."""
    return SSL.Context(SSL.TLS_METHOD)


class Peer:
    """A client, which blocks; its handshake is over."""

    def __init__(self, port: int, is_secure: bool, receive_buffer: int | None = None) -> None:
        self.socket = dial(port, receive_buffer)
        self.tls: Any = _shaken(self.socket) if is_secure else None

    @classmethod
    def on(cls, plain: socket.socket) -> Peer:
        """TLS on a connection that there is."""
        peer = cls.__new__(cls)
        peer.socket, peer.tls = plain, _shaken(plain)
        return peer

    def send(self, data: bytes) -> None:
        """All of ``data``."""
        (self.tls or self.socket).sendall(data)

    def read(self, count: int) -> bytes:
        """Exactly so many bytes."""
        received = bytearray()
        while len(received) < count:
            more = (self.tls or self.socket).recv(min(65536, count - len(received)))
            assert more, f"it ended after {len(received)} bytes"
            received += more
        return bytes(received)

    def read_all(self) -> bytes:
        """Until the server says that it closes; raises where it is cut off."""
        received = bytearray()
        while True:
            try:
                more = (self.tls or self.socket).recv(65536)
            except SSL.ZeroReturnError:
                break
            if not more:
                break
            received += more
        return bytes(received)

    def read_all_and_close(self) -> bytes:
        """The same, and answer by closing."""
        received = self.read_all()
        self.close()
        return received

    def end(self) -> None:
        """Send no more, but go on reading."""
        if self.tls is None:
            self.socket.shutdown(socket.SHUT_WR)
        else:
            self.tls.shutdown()

    def close(self) -> None:
        """Say so, and close."""
        if self.tls is not None:
            self.tls.shutdown()
        self.socket.close()

    def cut(self) -> None:
        """Close without a word: under TLS that is a truncation."""
        self.socket.close()

    def reset(self) -> None:
        """End the connection by a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def _shaken(plain: socket.socket) -> SSL.Connection:
    connection = SSL.Connection(client_context(), plain)
    connection.set_connect_state()
    connection.do_handshake()
    return connection
