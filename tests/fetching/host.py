"""A registry and its blob host in memory, which send when the test says so, and fail to order."""

from __future__ import annotations

import re

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from hubmirror.upstream.client import TimeLimits, UpstreamClient, http_client
from hubmirror.upstream.pacing import Pacing

__all__ = ["CDN", "HUB", "STALL", "BlobHost"]

HUB = "https://hub.example"
CDN = "https://cdn.example"
#: How long the mirror waits for a byte, in seconds.
STALL = 10.0

_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")


@define(eq=False)
class _Connection:
    """One request, and what is left to send of the answer."""

    protocol: IProtocol
    transport: StringTransport
    head: bytes | None = None
    body: bytes = b""
    is_cut: bool = False
    is_stalled: bool = False
    is_counted: bool = False


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
@define(eq=False)
class BlobHost:
    """``hub.example`` redirects to ``cdn.example``, which has ``blob``.

    ``asked`` are the requests: origin, ``Range`` (None: none), and ``Authorization``. ``sent``
    counts bytes of bodies of ``cdn.example``. What is in ``cuts``, ``statuses`` and ``stalls``
    befalls its next answers: after so many bytes the connection ends; another status is
    answered; nothing but headers comes.
    """

    blob: bytes
    clock: Clock = field(factory=Clock)
    etag: str | None = '"v1"'
    has_ranges: bool = True
    has_length: bool = True
    #: The value of ``Authorization`` that the registry takes, if it wants one.
    credential: str | None = None
    cuts: list[int] = field(factory=list)
    stalls: list[bool] = field(factory=list)
    statuses: list[int] = field(factory=list)
    #: Header fields that replace the right ones.
    lies: dict[str, str] = field(factory=dict)
    asked: list[tuple[str, str | None, str | None]] = field(factory=list)
    sent: int = 0
    most_connections: int = 0
    signature: int = 1
    _connections: list[_Connection] = field(factory=list)

    def client(self) -> UpstreamClient:
        """A client that reaches these two hosts alone."""
        pool = HTTPConnectionPool(self.clock, persistent=False)
        agent = Agent.usingEndpointFactory(self.clock, self, pool)
        limits = TimeLimits(response=30, stall=STALL)
        return UpstreamClient(
            http_client(agent), self.clock, limits, Pacing(self.clock), random=lambda: 0.0
        )

    def ranges(self, origin: str = CDN) -> list[str | None]:
        """What was asked of ``origin``, in order."""
        return [range_ for host, range_, _ in self.asked if host == origin]

    @property
    def is_idle(self) -> bool:
        return not self._connections

    def step(self, amount: int) -> None:
        """Send up to ``amount`` bytes on each connection; notice those that have ended."""
        sending = [each for each in self._connections if each.body and not each.is_stalled]
        self.most_connections = max(self.most_connections, len(sending))
        for connection in tuple(self._connections):
            if connection.transport.disconnecting:
                self._end(connection)
            elif connection.head is None:
                self._hear(connection)
            else:
                self._send(connection, amount)

    def connections_end(self) -> None:
        """All that are open now are reset."""
        for connection in tuple(self._connections):
            self._end(connection)

    # The mirror connects.

    def endpointForURI(self, uri: URI) -> BlobHost:
        return self

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        protocol = factory.buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        transport = StringTransport(lenient=True)
        protocol.makeConnection(transport)
        self._connections.append(_Connection(protocol, transport))
        return succeed(protocol)

    # The hosts answer.

    def _hear(self, connection: _Connection) -> None:
        text = bytes(connection.transport.value()).decode()
        if not text.endswith("\r\n\r\n"):
            return
        line, *lines = text.strip().split("\r\n")
        fields = {name.lower(): value for name, value in (each.split(": ", 1) for each in lines)}
        origin = f"https://{fields['host']}"
        self.asked.append((origin, fields.get("range"), fields.get("authorization")))
        path = line.split(" ")[1]
        status, headers, body = self._hub(fields) if origin == HUB else self._cdn(path, fields)
        headers = {**headers, **(self.lies if status in (200, 206) else {})}
        if self.has_length or status == 206:
            headers.setdefault("Content-Length", str(len(body)))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.head = f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode()
        connection.body = body
        connection.is_counted = origin == CDN and status in (200, 206)
        if connection.is_counted:
            connection.is_stalled = bool(self.stalls and self.stalls.pop(0))
            if self.cuts:
                connection.body = connection.body[: self.cuts.pop(0)]
                connection.is_cut = True
        connection.protocol.dataReceived(connection.head)

    def _hub(self, fields: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self.credential not in (None, fields.get("authorization")):
            return 401, {"WWW-Authenticate": 'Bearer realm="https://auth.example/t"'}, b"{}"
        return 307, {"Location": f"{CDN}/blob?sig={self.signature}"}, b""

    def _cdn(self, path: str, fields: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self.statuses:
            return self.statuses.pop(0), {}, b"trouble"
        if "authorization" in fields:
            return 400, {}, b"one credential only"
        if path != f"/blob?sig={self.signature}":
            return 403, {}, b"expired"
        headers = {} if self.etag is None else {"ETag": self.etag}
        is_same = fields.get("if-range") in (None, self.etag)
        found = _RANGE.fullmatch(fields.get("range", "")) if self.has_ranges and is_same else None
        if found is None:
            return 200, headers, self.blob
        start, size = int(found[1]), len(self.blob)
        if start >= size:
            return 416, {**headers, "Content-Range": f"bytes */{size}"}, b""
        end = min(int(found[2]) + 1, size) if found[2] else size
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        return 206, headers, self.blob[start:end]

    def _send(self, connection: _Connection, amount: int) -> None:
        if connection.is_stalled or connection.transport.producerState == "paused":
            return
        data, connection.body = connection.body[:amount], connection.body[amount:]
        if data:
            self.sent += len(data) if connection.is_counted else 0
            connection.protocol.dataReceived(data)
        if not connection.body:
            self._end(connection)

    def _end(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            connection.protocol.connectionLost(Failure(ConnectionDone()))
