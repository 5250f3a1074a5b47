"""A worker's site before another process that is played by the test, all of it in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from hubmirror.registry.channel import Limits
from hubmirror.registry.relay import PAUSE, Relay, RelayResource
from hubmirror.registry.root import Root
from hubmirror.registry.site import Frontage, MirrorSite
from tests.registry.edge import Wire, hang_up

__all__ = ["ETAG", "Line", "Other", "Worker", "head"]

ETAG = b'"sha256:' + b"a" * 64 + b'"'


def head(status: bytes, *fields: bytes) -> bytes:
    """An answer's head."""
    return b"\r\n".join([b"HTTP/1.1 " + status, *fields, b"", b""])


class Line(StringTransport):
    """The worker's end of one connection to the other process, which answers by ``say``."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(peerAddress=UNIXAddress("keeper"))
        self._clock = clock
        self.protocol: Any = None
        self.is_aborted = False
        self.is_lost = False

    def abortConnection(self) -> None:
        """As Twisted's: the protocol hears of it a moment later."""
        if not self.is_aborted:
            self.is_aborted = True
            self._clock.callLater(0, self._lose, ConnectionAborted())

    def asked(self) -> bytes:
        """What was asked since the last call."""
        data: bytes = self.value()
        self.clear()
        return data

    def fields(self) -> dict[bytes, list[bytes]]:
        """The header fields that were asked with, since the last call of this or ``asked``."""
        fields: dict[bytes, list[bytes]] = {}
        for line in self.asked().partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
            name, _, value = line.partition(b": ")
            fields.setdefault(name.lower(), []).append(value)
        return fields

    def say(self, data: bytes, at_once: int = 65536) -> None:
        """The other process sends ``data``, of which so many bytes come at once."""
        for start in range(0, len(data), at_once):
            if not self.is_aborted:
                self.protocol.dataReceived(data[start : start + at_once])

    def die(self) -> None:
        """The other process is gone."""
        self._lose(ConnectionDone())

    def _lose(self, reason: Exception) -> None:
        if not self.is_lost:
            self.is_lost = True
            self.protocol.connectionLost(Failure(reason))


@implementer(IStreamClientEndpoint)
class Other:
    """The other process: where it ``is_away``, nobody can connect."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lines: list[Line] = []
        self.is_away = False
        self.tries = 0

    @property
    def line(self) -> Line:
        """The latest connection."""
        return self.lines[-1]

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """See ``IStreamClientEndpoint``."""
        self.tries += 1
        if self.is_away:
            return fail(ConnectError())
        line = Line(self._clock)
        line.protocol = cast(Any, factory).buildProtocol(None)
        self.lines.append(line)
        line.protocol.makeConnection(line)
        return succeed(line.protocol)


class Worker:
    """A site in which the other process serves all there is, and its clients."""

    def __init__(self, frontage: Frontage | None = None) -> None:
        self.clock = Clock()
        self.other = Other(self.clock)
        self.relay = Relay(cast(Any, self.clock), self.other)
        root = Root({}, otherwise=RelayResource(self.relay))
        self.site = MirrorSite(
            root, cast(Any, self.clock), limits=Limits(), frontage=frontage or Frontage()
        )

    def connect(self, peer: str = "192.0.2.1") -> tuple[Callable[[bytes], None], Wire, Any]:
        """A client's connection: how it sends, what it sees, and the channel."""
        wire = Wire(peer)
        channel = self.site.buildProtocol(IPv4Address("TCP", peer, 40000))
        channel.makeConnection(wire)

        def send(data: bytes) -> None:
            channel.dataReceived(data)
            self.clock.advance(0)

        return send, wire, channel

    def send(self, data: bytes, peer: str = "192.0.2.1") -> Wire:
        """Send ``data`` on a new connection."""
        send, wire, _ = self.connect(peer)
        send(data)
        return wire

    def get(self, target: str = "/v2/a/blobs/x", *fields: str, method: str = "GET") -> Wire:
        """One request with a Host, ``fields`` as lines."""
        lines = [f"{method} {target} HTTP/1.1", "Host: mirror.example", *fields, "", ""]
        return self.send("\r\n".join(lines).encode())

    def leave(self, channel: Any) -> None:
        """The client hangs up."""
        hang_up(channel)
        self.clock.advance(0)

    def later(self, seconds: float = PAUSE) -> None:
        """Let time pass as it does: bit by bit."""
        until = self.clock.seconds() + seconds
        while self.clock.seconds() < until:
            self.clock.advance(PAUSE)
