"""Tests of hubmirror.upstream.bulk, by itself and in the way of an upstream's bodies.

All is in memory: the test says which bytes of TLS come when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from zope.interface import implementer

from hubmirror.upstream.bulk import RECORD, BulkConnection
from hubmirror.upstream.sessions import Sessions
from hubmirror.upstream.tls import TLSEndpoint, client_context
from tests.certificates.making import Made, make

HOST = "hub.test"
#: What one ``recv`` returns at most.
MOST = 272 * 1024
ENOUGH = 1 << 20
CERTIFICATE = make(HOST)


def server_of(made: Made, newest: int = SSL.TLS1_3_VERSION) -> SSL.Connection:
    """A server's end of TLS in memory."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_max_proto_version(newest)
    context.use_certificate(made.certificate)
    context.use_privatekey(made.key)
    server = SSL.Connection(context, None)
    server.set_accept_state()
    return server


@define
class Pair:
    """Two ends that have shaken hands."""

    server: SSL.Connection
    client: BulkConnection

    @classmethod
    def make(cls, newest: int = SSL.TLS1_3_VERSION, *, is_bulk: bool = True) -> Pair:
        pair = cls(
            server_of(CERTIFICATE, newest),
            BulkConnection(SSL.Context(SSL.TLS_CLIENT_METHOD), None),
        )
        pair.client.set_connect_state()
        for _ in range(3):
            for end, other in ((pair.client, pair.server), (pair.server, pair.client)):
                with suppress(SSL.WantReadError):
                    end.do_handshake()
                with suppress(SSL.WantReadError):
                    other.bio_write(end.bio_read(ENOUGH))
        pair.client.is_bulk = is_bulk
        return pair

    def receive(self, *records: bytes) -> None:
        """The client gets ``records``, each one of TLS."""
        feed(self.client, ciphered(self.server, *records))

    def read(self) -> list[bytes]:
        """What each ``recv`` returns, as long as there is something."""
        return list(self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        with suppress(SSL.WantReadError):
            while True:
                chunk = self.client.recv(1 << 15)
                assert chunk
                yield chunk

    def end(self) -> tuple[bytes, type[Exception], object]:
        """All bytes up to an error, and that error."""
        data = b""
        while True:
            try:
                data += self.client.recv(1 << 15)
            except SSL.Error as error:
                return data, type(error), error.args


def ciphered(server: SSL.Connection, *records: bytes) -> bytes:
    """``records`` in TLS, each one of its own."""
    for record in records:
        server.send(record)
    return drain(server)


def feed(end: SSL.Connection, data: bytes) -> None:
    """Let ``end`` have ``data``, if there is any."""
    if data:
        end.bio_write(data)


def drain(server: SSL.Connection) -> bytes:
    """What the server has to send."""
    sent = b""
    with suppress(SSL.WantReadError):
        while True:
            sent += server.bio_read(ENOUGH)
    return sent


def bytes_of(length: int) -> bytes:
    """So many bytes that don't repeat soon."""
    return b"".join(number.to_bytes(4, "big") for number in range(-(-length // 4)))[:length]


def full(count: int) -> list[bytes]:
    """So many records as full as can be."""
    data = bytes_of(count * RECORD)
    return [data[start : start + RECORD] for start in range(0, len(data), RECORD)]


def cut(data: bytes, lengths: list[int]) -> Iterator[bytes]:
    """``data`` in pieces of these lengths, over and over."""
    start, turn = 0, 0
    while start < len(data):
        length = lengths[turn % len(lengths)]
        yield data[start : start + length]
        start, turn = start + length, turn + 1


SIZES = st.lists(st.integers(1, RECORD), min_size=1, max_size=40)
#: Parts of a record's header, of a record, of a packet's size, and many records at once.
ARRIVALS = st.lists(st.sampled_from([1, 4, 5, 21, 1448, 16406, 1 << 19]), max_size=8)
#: TLS 1.3 hides what a record is of, 1.2 does not.
VERSIONS = st.sampled_from([SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])


@settings(max_examples=60, deadline=None)
@given(SIZES, ARRIVALS, VERSIONS, st.lists(st.booleans(), min_size=1))
def test_the_same_bytes(
    sizes: list[int], arrivals: list[int], version: int, modes: list[bool]
) -> None:
    """Whatever the records' sizes, however they come, and when they are read in bulk."""
    pair, data, read = Pair.make(version), bytes_of(sum(sizes)), b""
    arriving = ciphered(pair.server, *cut(data, sizes))
    for turn, piece in enumerate(cut(arriving, [*arrivals, 1 << 16])):
        pair.client.is_bulk = modes[turn % len(modes)]
        pair.client.bio_write(piece)
        read += b"".join(pair.read())
    assert read == data


@pytest.mark.parametrize(
    ("is_bulk", "lengths"),
    [(True, [MOST, MOST, 6 * RECORD]), (False, [RECORD] * 40)],
    ids=["in bulk", "one by one"],
)
def test_many_records_at_once(is_bulk: bool, lengths: list[int]) -> None:
    """Up to 272 KiB of what has come, where that is wanted."""
    pair = Pair.make(is_bulk=is_bulk)
    pair.receive(*full(40))
    assert [len(chunk) for chunk in pair.read()] == lengths


def test_small_records_are_joined() -> None:
    """A server that fills its records badly costs no more calls."""
    pair = Pair.make()
    pair.receive(*[b"x" * 100] * 1000)
    assert pair.read() == [b"x" * 100_000]


def test_a_record_that_is_not_whole_waits() -> None:
    """What is before it comes at once, and it itself when its end is there."""
    pair = Pair.make()
    arriving = ciphered(pair.server, b"a" * 9000, b"b" * 9000, b"c" * 9000)
    pair.client.bio_write(arriving[:-1])
    assert pair.read() == [b"a" * 9000 + b"b" * 9000]
    assert pair.read() == []
    pair.client.bio_write(arriving[-1:])
    assert pair.read() == [b"c" * 9000]


def test_what_has_just_come_is_there() -> None:
    """Also where the last call ended because there was no more at that time."""
    pair = Pair.make()
    for record in (b"one", b"two"):
        pair.receive(record)
        assert pair.client.recv(1 << 15) == record


def farewell(server: SSL.Connection) -> bytes:
    """It says that it sends no more (RFC 8446, section 6.1)."""
    server.shutdown()
    return drain(server)


def nothing(_: SSL.Connection) -> bytes:
    """The connection ends, and nobody has said so in TLS."""
    return b""


def half_a_record(server: SSL.Connection) -> bytes:
    """The same in its midst."""
    return ciphered(server, b"x" * 9000)[:-1000]


def tampered(server: SSL.Connection) -> bytes:
    """A record that does not decrypt, and a good one."""
    spoiled = bytearray(ciphered(server, b"x" * 9000))
    spoiled[100] ^= 1
    return bytes(spoiled) + ciphered(server, b"never read")


def no_tls(_: SSL.Connection) -> bytes:
    """Something else."""
    return b"HTTP/1.1 400 Bad Request\r\n\r\n"


Ending = Callable[[SSL.Connection], bytes]
ENDINGS: list[Ending] = [farewell, nothing, half_a_record, tampered, no_tls]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])
@pytest.mark.parametrize("count", [0, 3, 17, 20])
def test_ends_as_one_by_one(ending: Ending, version: int, count: int) -> None:
    """All that is good comes first, then the very error that pyOpenSSL has for it."""
    ends = []
    for is_bulk in (True, False):
        pair = Pair.make(version, is_bulk=is_bulk)
        pair.receive(*full(count))
        feed(pair.client, ending(pair.server))
        pair.client.bio_shutdown()
        ends.append(pair.end())
    assert ends[0] == ends[1]
    data, error, _ = ends[0]
    assert data == b"".join(full(count))
    assert (error is SSL.ZeroReturnError) == (ending is farewell)


@pytest.mark.parametrize("is_bulk", [True, False], ids=["in bulk", "one by one"])
def test_an_error_waits_for_the_next_call(is_bulk: bool) -> None:
    """Whatever that is: what came behind good bytes is told when they are taken."""
    pair = Pair.make()
    pair.receive(b"good")
    feed(pair.client, tampered(pair.server))
    assert pair.client.recv(1 << 15) == b"good"
    pair.client.is_bulk = is_bulk
    with pytest.raises(SSL.Error, match="bad record mac"):
        pair.client.recv(1 << 15)


class Socket(StringTransport):
    """A TCP connection in memory."""

    def __init__(self) -> None:
        super().__init__(lenient=True)  # a late call is no error

    def setTcpNoDelay(self, enabled: bool) -> None:
        """See ``ITCPTransport``."""


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
class Upstream:
    """A server in memory, and the way to it: one connection at a time."""

    def __init__(self, folder: Path) -> None:
        (folder / "ca.crt").write_bytes(CERTIFICATE.pem)
        self._context = client_context(folder / "ca.crt")
        self._clock = Clock()
        self._server = server_of(CERTIFICATE)
        self._pool = HTTPConnectionPool(self._clock)
        self.sockets: list[Socket] = []

    def endpointForURI(self, uri: URI | None = None) -> IStreamClientEndpoint:
        """See ``IAgentEndpointFactory``."""
        sessions = Sessions(self._clock.seconds)
        return TLSEndpoint(self._clock, self, self._context, sessions, HOST, 443)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See ``IStreamClientEndpoint``."""
        protocol: Any = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        self.sockets.append(Socket())
        protocol.makeConnection(self.sockets[-1])
        self.protocol = protocol
        return succeed(protocol)

    @property
    def socket(self) -> Socket:
        """The client's."""
        return self.sockets[-1]

    def shake_hands(self) -> None:
        """Up to the end of the handshake, and the tickets."""
        for _ in range(3):
            self.hear()
            with suppress(SSL.WantReadError):
                self._server.do_handshake()
            self.send()

    def hear(self) -> None:
        """Take what the client has sent."""
        feed(self._server, self.socket.value())
        self.socket.clear()

    def send(self, *records: bytes, ending: Ending = nothing) -> None:
        """Send ``records`` and ``ending``, in one piece."""
        sent = ciphered(self._server, *records) + ending(self._server)
        if sent:
            self.protocol.dataReceived(sent)

    def lose(self) -> None:
        """The connection ends."""
        self.protocol.connectionLost(Failure(ConnectionDone()))

    def get(self, *head: bytes) -> Body:
        """Ask for a body, and get these records: the head, and what else comes with it."""
        agent = Agent.usingEndpointFactory(self._clock, self, self._pool)
        body = Body()
        asked = agent.request(b"GET", b"https://hub.test/")
        asked.addCallback(body.read)
        if self.socket.value().startswith(b"\x16"):  # the connection is new
            self.shake_hands()
        self.hear()
        self.send(*head)
        return body


class Reader(Protocol):
    """Notes what comes, in which pieces."""

    transport: Any

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    @property
    def lengths(self) -> list[int]:
        """Those of the pieces; they are forgotten then."""
        chunks, self.chunks = self.chunks, []
        return [len(chunk) for chunk in chunks]

    def dataReceived(self, data: bytes) -> None:
        self.chunks.append(data)


class Body(Reader):
    """A response's body; ``reason`` tells why it has ended. One that ``is_slow`` pauses, once."""

    reason: Failure | None = None
    is_slow = False

    def read(self, response: IResponse) -> None:
        response.deliverBody(self)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if self.is_slow:
            self.is_slow = False
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    return Upstream(tmp_path)


def head(length: int | None) -> bytes:
    """That of a 200; without a length its body ends with the connection."""
    fields = b"" if length is None else b"Content-Length: %d\r\n" % length
    return b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n"


def test_bulk_is_for_bodies(upstream: Upstream) -> None:
    """From each question until its answer is to be read on records come one by one."""
    reader = Reader()
    upstream.endpointForURI().connect(Factory.forProtocol(lambda: reader))
    upstream.shake_hands()
    for _ in range(2):
        reader.transport.write(b"a question")
        upstream.send(*full(20))
        assert reader.lengths == [RECORD] * 20
        reader.transport.resumeProducing()
        upstream.send(*full(20))
        assert reader.lengths == [MOST, 3 * RECORD]


def test_bodies_come_in_bulk(upstream: Upstream) -> None:
    """Also those that follow on the same connection; a head may be in pieces."""
    first, second, third = head(20 * RECORD).splitlines(keepends=True)
    for _ in range(2):
        body = upstream.get(first, second, third, *full(20))
        assert b"".join(body.chunks) == b"".join(full(20))
        assert body.lengths == [MOST, 3 * RECORD]
        assert body.reason is not None
        assert body.reason.check(ResponseDone)
    assert len(upstream.sockets) == 1


def test_a_pause_holds(upstream: Upstream) -> None:
    """While a reader pauses nothing is taken of the socket; then it goes on where it was."""
    body = upstream.get(head(60 * RECORD))
    for _ in range(2):
        body.is_slow = True
        upstream.send(*full(20))
        assert upstream.socket.producerState == "paused"
        body.transport.resumeProducing()
        assert upstream.socket.producerState == "producing"
    upstream.send(*full(20))
    assert b"".join(body.chunks) == b"".join(full(20)) * 3
    assert body.lengths == [MOST, 3 * RECORD] * 3


@pytest.mark.parametrize("count", [0, 3, 17, 20])
@pytest.mark.parametrize(
    ("ending", "error"),
    [
        (farewell, ConnectionDone),
        (nothing, ConnectionLost),
        (half_a_record, ConnectionLost),
        (tampered, SSL.Error),
        (no_tls, SSL.Error),
    ],
)
def test_bodies_that_end_early(
    upstream: Upstream, ending: Ending, error: type[Exception], count: int
) -> None:
    """What came before is delivered, and why there is no more of it is told."""
    body = upstream.get(head(30 * RECORD))
    upstream.send(*full(count), ending=ending)
    upstream.lose()
    assert b"".join(body.chunks) == b"".join(full(count))
    assert body.reason is not None
    assert isinstance(body.reason.value, ResponseFailed)
    assert body.reason.value.reasons[0].check(error)


@pytest.mark.parametrize("ending", [farewell, tampered, no_tls])
def test_no_more_can_come(upstream: Upstream, ending: Ending) -> None:
    """A server that closes its half, or fails, is answered, and the connection is closed."""
    body = upstream.get(head(30 * RECORD))
    upstream.send(*full(20), ending=ending)
    assert upstream.socket.value()
    assert upstream.socket.disconnecting
    assert body.reason is None  # the socket has not ended yet


@pytest.mark.parametrize("ending", [farewell, nothing])
def test_bodies_that_end_with_the_connection(upstream: Upstream, ending: Ending) -> None:
    """Without a length all that came is the body."""
    body = upstream.get(head(None))
    upstream.send(*full(20), ending=ending)
    upstream.lose()
    assert body.lengths == [MOST, 3 * RECORD]
    assert body.reason is not None
    assert body.reason.check(PotentialDataLoss)
