"""TLS on the socket itself: first what plain connections do just so, then what is TLS's own."""

from __future__ import annotations

import gc
import hashlib
import os
import socket
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import pytest
from OpenSSL import SSL
from pytest_twisted import ensureDeferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, INegotiated, IPushProducer
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from hubmirror.transport.tls import (
    FIRST_WRITE,
    LARGEST_WRITE,
    PARTING,
    RECORD,
    TLSServer,
    TLSSocket,
    file_socket,
)
from tests.transport.serving import Echo, End, Peer, Serving, client_context, dial

DATA = os.urandom(4 * 1024 * 1024)


@implementer(IPushProducer)
class Source:
    """Writes ``DATA`` piece by piece, until it is paused."""

    def __init__(self, wire: Any, piece: int = 50_000) -> None:
        self._wire = wire
        self._piece = piece
        self._is_paused = False
        self.written = 0
        self.is_stopped = False

    def resumeProducing(self) -> None:
        self._is_paused = False
        while self.written < len(DATA) and not self._is_paused:
            data = DATA[self.written : self.written + self._piece]
            self.written += len(data)
            self._wire.write(data)
        if self.written == len(DATA):
            self._wire.unregisterProducer()
            self._wire.loseConnection()

    def pauseProducing(self) -> None:
        self._is_paused = True

    def stopProducing(self) -> None:
        self.is_stopped = True


class Producing(End):
    """Sends ``DATA`` at the client's pace through a small buffer, and closes."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        self.source = Source(self.wire)
        self.wire.registerProducer(self.source, True)
        self.source.resumeProducing()


@implementer(IHalfCloseableProtocol)
class HalfCloseable(End):
    """Goes on when the client has ended its half."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[str] = []

    def readConnectionLost(self) -> None:
        self.ends.append("read")

    def writeConnectionLost(self) -> None:
        self.ends.append("write")


# What holds for plain connections, too.


@ensureDeferred
async def test_much_in_both_directions(serving: Serving) -> None:
    """Every byte, in order."""
    echo = Echo()
    peer = await serving.open(echo)
    await serving.run(peer.send, DATA)
    assert await serving.run(peer.read, len(DATA)) == DATA
    await serving.run(peer.close)
    assert isinstance(await echo.lost, ConnectionDone)


@ensureDeferred
async def test_many_small_writes(serving: Serving) -> None:
    """Of all sizes, at once: none is lost, none comes twice."""
    end = End()
    peer = await serving.open(end)
    sizes, position = cycle([1, 100, RECORD, RECORD + 1, 300_000]), 0
    while position < len(DATA):
        size = next(sizes)
        end.wire.write(DATA[position : position + size])
        position += size
    end.wire.loseConnection()
    assert await serving.run(peer.read_all_and_close) == DATA
    assert isinstance(await end.lost, ConnectionDone)


@ensureDeferred
async def test_a_slow_reader_holds_the_producer_back(serving: Serving) -> None:
    """What waits is bounded, and arrives once it is read: no part of it twice."""
    end = Producing()
    port = serving.listen(lambda: end)
    peer = await serving.run(Peer, port, serving.secure is not None, 16384)
    await serving.turns()
    assert end.source.written < 512 * 1024
    assert not end.losses
    received = await serving.run(peer.read_all_and_close)
    assert hashlib.sha256(received).digest() == hashlib.sha256(DATA).digest()
    assert isinstance(await end.lost, ConnectionDone)


@pytest.mark.parametrize("leave", [Peer.cut, Peer.reset], ids=["cut", "reset"])
@ensureDeferred
async def test_a_client_that_leaves_in_the_midst(serving: Serving, leave: Any) -> None:
    """The producer is stopped, and the protocol told, once."""
    end = Producing()
    port = serving.listen(lambda: end)
    peer = await serving.run(Peer, port, serving.secure is not None, 16384)
    await serving.run(peer.read, 1000)
    leave(peer)
    assert isinstance(await end.lost, (ConnectionLost, ConnectionDone))
    assert end.source.is_stopped
    await serving.turns(5)
    assert end.losses == 1


@ensureDeferred
async def test_a_client_that_ends_its_half(serving: Serving) -> None:
    """It is over, as for all protocols that know of no halves."""
    end = End()
    peer = await serving.open(end)
    await serving.run(peer.send, b"last words")
    await serving.run(peer.end)
    assert isinstance(await end.lost, ConnectionDone)
    assert end.received == b"last words"
    assert await serving.run(peer.read_all_and_close) == b""


@ensureDeferred
async def test_a_protocol_that_knows_of_halves_may_still_answer(serving: Serving) -> None:
    """The client has ended its half, and reads on."""
    end = HalfCloseable()
    peer = await serving.open(end)
    await serving.run(peer.send, b"question")
    await serving.run(peer.end)
    await serving.until(lambda: end.ends)
    end.wire.write(DATA)
    end.wire.loseConnection()
    assert await serving.run(peer.read_all) == DATA
    assert isinstance(await end.lost, ConnectionDone)
    peer.cut()
    assert end.ends == ["read"]


@ensureDeferred
async def test_closing_is_for_both_halves(serving: Serving) -> None:
    """Also for a protocol that knows of them."""
    end = HalfCloseable()
    peer = await serving.open(end)
    end.wire.loseConnection()
    assert await serving.run(peer.read_all_and_close) == b""
    assert isinstance(await end.lost, ConnectionDone)
    assert end.ends == []


@ensureDeferred
async def test_the_server_may_end_its_half(serving: Serving) -> None:
    """The client sees the end, and may still send."""
    end = HalfCloseable()
    peer = await serving.open(end)
    end.wire.write(DATA)
    end.wire.loseWriteConnection()
    assert await serving.run(peer.read_all) == DATA
    assert end.ends == ["write"]
    await serving.run(peer.send, b"thanks")
    await serving.until(lambda: end.received == b"thanks")
    end.wire.write(b"no more of this")
    end.wire.loseConnection()
    assert isinstance(await end.lost, ConnectionDone)
    peer.cut()


@ensureDeferred
async def test_aborting(serving: Serving) -> None:
    """At once, by a reset, whatever was to be sent."""
    end = End()
    peer = await serving.open(end)
    end.wire.write(DATA)
    end.wire.abortConnection()
    assert isinstance(await end.lost, ConnectionAborted)
    with pytest.raises((ConnectionResetError, SSL.SysCallError)):
        await serving.run(peer.read_all)
    peer.cut()


@ensureDeferred
async def test_aborting_while_reading(serving: Serving) -> None:
    """From within ``dataReceived``: nothing more is delivered."""

    class Offended(End):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.wire.abortConnection()

    end = Offended()
    peer = await serving.open(end)
    with suppress(OSError, SSL.Error):  # it may see the end before it has sent all
        await serving.run(peer.send, b"a" * 10 * RECORD)
    assert isinstance(await end.lost, ConnectionAborted)
    assert len(end.received) <= 4 * RECORD
    peer.cut()


@ensureDeferred
async def test_pausing(serving: Serving) -> None:
    """Nothing is delivered until the protocol resumes; then all is, without another byte."""

    class Pausing(End):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.wire.pauseProducing()

    end = Pausing()
    peer = await serving.open(end)
    await serving.run(peer.send, DATA[:100_000])
    await serving.until(lambda: end.received)
    got = len(end.received)
    await serving.turns()
    assert len(end.received) == got < 100_000
    while len(end.received) < 100_000:
        end.wire.resumeProducing()
        await serving.turns(1)
    assert end.received == DATA[:100_000]
    end.wire.resumeProducing()
    await serving.run(peer.close)
    await end.lost


@ensureDeferred
async def test_what_is_written_after_the_end_is_dropped(serving: Serving) -> None:
    """As Twisted has it; closing twice is closing once."""
    end = End()
    peer = await serving.open(end)
    end.wire.write(b"all")
    end.wire.loseConnection()
    end.wire.loseConnection()
    assert await serving.run(peer.read_all) == b"all"
    end.wire.write(b"more")
    await serving.run(peer.close)
    await end.lost
    end.wire.write(b"more")
    end.wire.loseConnection()
    end.wire.abortConnection()
    await serving.turns(5)
    assert end.losses == 1


@ensureDeferred
async def test_a_defect_of_the_protocol_ends_its_connection(
    serving: Serving, logged_failures: Any
) -> None:
    """It is logged, and the others go on."""

    class Defective(End):
        def dataReceived(self, data: bytes) -> None:
            raise ZeroDivisionError

    end = Defective()
    peer = await serving.open(end)
    await serving.run(peer.send, b"x")
    assert isinstance(await end.lost, ZeroDivisionError)
    assert len(logged_failures.take()) == 1
    peer.cut()


@ensureDeferred
async def test_tcp_options(serving: Serving) -> None:
    """They are the socket's."""
    end = End()
    peer = await serving.open(end)
    end.wire.setTcpNoDelay(True)
    assert end.wire.getTcpNoDelay()
    end.wire.setTcpNoDelay(False)
    assert not end.wire.getTcpNoDelay()
    assert end.wire.getPeer().port == peer.socket.getsockname()[1]
    await serving.run(peer.close)
    await end.lost


@ensureDeferred
async def test_a_file_goes_past_the_buffers(serving: Serving, tmp_path: Path) -> None:
    """In turns, behind what was written before; what the socket doesn't take stays in order."""
    (tmp_path / "file").write_bytes(DATA)
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    sent: list[int] = []

    @implementer(IPushProducer)
    class Sending(End):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000)
            self.way = cast(Any, file_socket(self.wire))
            self.wire.registerProducer(self, True)
            self.wire.write(b"head")
            self.way.wait()

        def pauseProducing(self) -> None:
            """It writes when it is told to only."""

        def resumeProducing(self) -> None:
            count = self.way.send_file(fd, sum(sent), 500_000)
            if count == 0:
                self.wire.unregisterProducer()
                self.wire.write(b"tail")
                self.wire.loseConnection()
            else:
                sent.append(count or 0)
                self.way.wait()

        def stopProducing(self) -> None:
            """``connectionLost`` tells."""

    end = Sending()
    peer = await serving.open(end)
    assert await serving.run(peer.read_all_and_close) == b"head" + DATA + b"tail"
    assert len(sent) > 8
    await end.lost
    os.close(fd)


# What is TLS's own.


@ensureDeferred
async def test_what_it_provides(secure_serving: Serving) -> None:
    """Twisted's protocols ask it whether it is secure, and what ALPN chose."""
    end = End()
    peer = await secure_serving.open(end)
    assert isinstance(end.wire, TLSServer)
    assert verifyObject(INegotiated, end.wire)
    assert end.wire.negotiatedProtocol is None
    assert end.wire.getPeerCertificate() is None
    assert isinstance(file_socket(end.wire), TLSSocket)
    await secure_serving.run(peer.close)
    await end.lost
    assert end.wire.negotiatedProtocol is None
    assert end.wire.getPeerCertificate() is None


@ensureDeferred
async def test_alpn_is_told(secure_serving: Serving) -> None:
    """Once the handshake is over."""
    end = Echo()
    port = secure_serving.listen(lambda: end)

    def client() -> None:
        context = client_context()
        context.set_alpn_protos([b"h2", b"http/1.1"])
        connection = SSL.Connection(context, dial(port))
        connection.set_connect_state()
        connection.do_handshake()
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        connection.shutdown()
        connection.sock_shutdown(socket.SHUT_RDWR)

    running = secure_serving.run(client)
    await secure_serving.until(lambda: end.received)
    assert end.wire.negotiatedProtocol == b"http/1.1"
    await running
    await end.lost


@ensureDeferred
async def test_a_truncation_is_noticed(secure_serving: Serving) -> None:
    """A TCP end without TLS's own may be an attacker's."""
    end = End()
    peer = await secure_serving.open(end)
    await secure_serving.run(peer.send, b"not all of it")
    await secure_serving.until(lambda: end.received)
    peer.cut()
    assert isinstance(await end.lost, ConnectionLost)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 2000, b"\x00" * 70_000],
    ids=["http", "hello", "zeros"],
)
@ensureDeferred
async def test_garbage_instead_of_a_hello(secure_serving: Serving, garbage: bytes) -> None:
    """The client is told by an alert, or by the end of it; nothing is logged."""
    end = End()
    port = secure_serving.listen(lambda: end)

    def client() -> bytes:
        with dial(port) as plain:
            plain.sendall(garbage)
            answer = b""
            while more := plain.recv(1000):
                answer += more
            return answer

    answer = await secure_serving.run(client)
    assert answer[:1] in (b"", b"\x15")  # an alert
    assert isinstance(await end.lost, SSL.Error)
    assert not end.received


@ensureDeferred
async def test_garbage_after_the_handshake(secure_serving: Serving) -> None:
    """A record that is not right ends it, with an alert."""
    end = End()
    peer = await secure_serving.open(end)
    await secure_serving.run(peer.socket.sendall, b"\x17\x03\x03\x00\x20" + b"x" * 32)
    with pytest.raises(SSL.Error, match="bad record mac"):
        await secure_serving.run(peer.read_all)
    peer.cut()
    assert isinstance(await end.lost, SSL.Error)
    assert not end.received


class Hands:
    """A client's side of TLS in memory: what it has to send, and when, is the test's affair."""

    def __init__(self) -> None:
        self._tls = SSL.Connection(client_context(), None)
        self._tls.set_connect_state()
        self.are_shaken = False

    def next_flight(self, data: bytes) -> bytes:
        """What is to be sent now; the last has ``data``, too."""
        with suppress(SSL.WantReadError):
            self._tls.do_handshake()
            self.are_shaken = True
            self._tls.send(data)
        return self._tls.bio_read(65536)

    def take(self, data: bytes) -> None:
        """What the server has sent."""
        self._tls.bio_write(data)

    def read(self, plain: socket.socket) -> bytes:
        """The server's first data."""
        while True:
            with suppress(SSL.WantReadError):
                return self._tls.recv(100)
            self.take(plain.recv(65536))


@ensureDeferred
async def test_a_hello_that_drips(secure_serving: Serving) -> None:
    """Byte by byte: the handshake takes it, and holds nobody up."""
    port = secure_serving.listen(Echo)

    hands = Hands()

    def client() -> bytes:
        with dial(port) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not hands.are_shaken:
                for byte in hands.next_flight(b"hello"):
                    plain.sendall(bytes([byte]))
                hands.take(plain.recv(65536))
            return hands.read(plain)

    assert await secure_serving.run(client) == b"hello"


@ensureDeferred
async def test_data_that_comes_with_the_handshakes_end(secure_serving: Serving) -> None:
    """It is delivered at once, or not until a protocol that has paused resumes."""
    clock, hands, end = Clock(), Hands(), End()
    plain = await secure_serving.run(dial, secure_serving.listen(lambda: end, clock))
    await end.made
    end.wire.pauseProducing()

    def client() -> None:
        plain.sendall(hands.next_flight(b"early"))
        hands.take(plain.recv(65536))
        plain.sendall(hands.next_flight(b"early"))

    await secure_serving.run(client)
    await secure_serving.turns()
    assert hands.are_shaken
    assert not end.received
    end.wire.resumeProducing()
    await secure_serving.until(lambda: end.received == b"early")
    plain.close()
    await end.lost


@pytest.mark.parametrize("leave", ["close", "reset"])
@ensureDeferred
async def test_a_client_that_leaves_before_the_handshake(
    secure_serving: Serving, leave: str
) -> None:
    """A port scan, or a balancer that looks whether we live."""
    end = End()
    plain = await secure_serving.run(dial, secure_serving.listen(lambda: end))
    await end.made
    if leave == "reset":
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    plain.close()
    assert isinstance(await end.lost, ConnectionLost)


@ensureDeferred
async def test_closing_before_the_handshake(secure_serving: Serving) -> None:
    """A client that says nothing is left at once: there is nothing to close in order."""
    end = End()
    plain = await secure_serving.run(dial, secure_serving.listen(lambda: end))
    await end.made
    end.wire.loseConnection()
    assert isinstance(await end.lost, ConnectionAborted)
    plain.close()


@pytest.mark.parametrize("lose", ["loseConnection", "loseWriteConnection"])
@ensureDeferred
async def test_writing_before_the_handshake(secure_serving: Serving, lose: str) -> None:
    """What is written at once leaves after the handshake, and the end behind it."""

    class Refusing(End):
        def connectionMade(self) -> None:
            self.wire.write(b"too many")
            self.wire.write(b" connections")
            getattr(self.wire, lose)()
            super().connectionMade()

    end = Refusing()
    peer = await secure_serving.open(end)
    assert await secure_serving.run(peer.read_all_and_close) == b"too many connections"
    assert isinstance(await end.lost, ConnectionDone)


@ensureDeferred
async def test_ending_our_half_before_the_handshake(secure_serving: Serving) -> None:
    """The client sees the end as soon as it can."""
    end = HalfCloseable()
    port = secure_serving.listen(lambda: end)
    plain = await secure_serving.run(dial, port)
    await end.made
    end.wire.loseWriteConnection()
    peer = await secure_serving.run(Peer.on, plain)
    assert await secure_serving.run(peer.read_all_and_close) == b""
    await secure_serving.until(lambda: end.ends == ["write", "read"])
    end.wire.loseConnection()
    await end.lost


@ensureDeferred
async def test_pausing_before_the_handshake(secure_serving: Serving) -> None:
    """The handshake goes on; data waits."""

    class Paused(End):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.wire.pauseProducing()

    end = Paused()
    peer = await secure_serving.open(end)
    await secure_serving.run(peer.send, b"early")
    await secure_serving.turns()
    assert not end.received
    end.wire.resumeProducing()
    await secure_serving.until(lambda: end.received == b"early")
    await secure_serving.run(peer.close)
    await end.lost


@ensureDeferred
async def test_a_client_that_never_closes_is_waited_for_a_moment(secure_serving: Serving) -> None:
    """However much it still sends; nothing of that is delivered."""
    clock, end = Clock(), End()
    port = secure_serving.listen(lambda: end, clock)
    peer = await secure_serving.run(Peer, port, True)
    end.wire.write(b"bye")
    end.wire.loseConnection()
    assert await secure_serving.run(peer.read_all) == b"bye"
    assert await secure_serving.run(peer.socket.recv, 100) == b""  # TCP's own end
    await secure_serving.run(peer.send, b"but " * 10_000)
    end.wire.resumeProducing()
    end.wire.unregisterProducer()
    end.wire.write(b"no more")
    await secure_serving.turns(20)
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(PARTING - 0.1)
    assert not end.losses
    clock.advance(0.1)
    assert isinstance(await end.lost, ConnectionDone)
    assert not end.received
    peer.cut()


@ensureDeferred
async def test_a_client_that_has_ended_its_half_is_not_waited_for(secure_serving: Serving) -> None:
    """There is nothing of it to come."""
    clock, end = Clock(), HalfCloseable()
    port = secure_serving.listen(lambda: end, clock)
    peer = await secure_serving.run(Peer, port, True)
    await secure_serving.run(peer.end)
    await secure_serving.until(lambda: end.ends)
    end.wire.loseConnection()
    assert await secure_serving.run(peer.read_all) == b""
    assert isinstance(await end.lost, ConnectionDone)
    peer.cut()


@ensureDeferred
async def test_a_client_that_closes_at_once_is_not_waited_for(secure_serving: Serving) -> None:
    """Its end ends ours, and leaves no timer."""
    clock, end = Clock(), End()
    port = secure_serving.listen(lambda: end, clock)
    peer = await secure_serving.run(Peer, port, True)
    end.wire.loseConnection()
    await secure_serving.run(peer.read_all_and_close)
    assert isinstance(await end.lost, ConnectionDone)
    assert clock.getDelayedCalls() == []


class Moody:
    """An ``SSL.Connection`` whose ``method`` wants to write first, ``times`` times."""

    def __init__(self, real: SSL.Connection, method: str, times: int) -> None:
        self._real = real
        self._method = method
        self._times = times
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return self._call if name == self._method else getattr(self._real, name)

    def _call(self, *args: Any) -> Any:
        self.calls += 1
        if self._times:
            self._times -= 1
            raise SSL.WantWriteError
        return getattr(self._real, self._method)(*args)


@pytest.mark.parametrize("method", ["do_handshake", "recv", "send", "shutdown"])
@ensureDeferred
async def test_each_step_may_have_to_write_first(secure_serving: Serving, method: str) -> None:
    """The socket was full: it goes on when there is room."""
    made: list[Moody] = []
    secure: Any = secure_serving.secure

    def moody(connected: socket.socket) -> Any:
        made.append(Moody(secure(connected), method, 3))
        return made[0]

    secure_serving.secure = moody
    echo = Echo()
    peer = await secure_serving.open(echo)
    await secure_serving.run(peer.send, b"hello")
    assert await secure_serving.run(peer.read, 5) == b"hello"
    echo.wire.loseConnection()
    assert await secure_serving.run(peer.read_all_and_close) == b""
    assert isinstance(await echo.lost, ConnectionDone)
    assert 4 <= made[0].calls < 10


@ensureDeferred
async def test_reading_waits_for_room_without_turning_round(secure_serving: Serving) -> None:
    """While the client takes nothing of what TLS itself has to say, it is not heard."""
    made: list[Moody] = []
    secure: Any = secure_serving.secure

    def moody(connected: socket.socket) -> Any:
        made.append(Moody(secure(connected), "recv", 10**9))
        return made[0]

    secure_serving.secure = moody
    end = Producing()
    port = secure_serving.listen(lambda: end)
    peer = await secure_serving.run(Peer, port, True, 16384)
    await secure_serving.run(peer.send, b"hello")
    await secure_serving.turns(200)
    assert made[0].calls < 20
    peer.reset()
    await end.lost


@ensureDeferred
async def test_a_handshake_that_has_to_write_goes_on_when_there_is_room(
    secure_serving: Serving,
) -> None:
    """Without another byte of the client's."""
    made: list[Moody] = []
    secure: Any = secure_serving.secure

    class Choking(Moody):
        def _call(self, *args: Any) -> Any:
            try:
                return self._real.do_handshake()
            except SSL.WantReadError:
                self.calls += 1
                if self.calls == 1:
                    raise SSL.WantWriteError from None
                raise

    def choking(connected: socket.socket) -> Any:
        made.append(Choking(secure(connected), "do_handshake", 1))
        return made[0]

    secure_serving.secure = choking
    end = End()
    plain = await secure_serving.run(dial, secure_serving.listen(lambda: end))
    await secure_serving.run(plain.sendall, Hands().next_flight(b""))
    await secure_serving.until(lambda: made and made[0].calls == 2)
    await secure_serving.turns()
    assert made[0].calls == 2
    plain.close()
    await end.lost


@ensureDeferred
async def test_a_client_that_breaks_the_rules_in_the_midst(secure_serving: Serving) -> None:
    """What is still to be sent to it is not produced any more."""
    end = Producing()
    port = secure_serving.listen(lambda: end)
    peer = await secure_serving.run(Peer, port, True, 16384)
    await secure_serving.run(peer.socket.sendall, b"\x17\x03\x03\x00\x20" + b"x" * 32)
    await secure_serving.turns()
    assert end.source.written < 512 * 1024
    peer.reset()
    assert isinstance(await end.lost, SSL.Error)
    assert end.source.is_stopped


@ensureDeferred
async def test_what_goes_past_the_buffer_stays_behind_what_is_in_it(
    secure_serving: Serving,
) -> None:
    """In the order of the calls."""
    end = End()
    peer = await secure_serving.open(end)
    end.wire.write(b"one ")
    assert not end.wire.write_now(b"two ")
    await secure_serving.until(lambda: not end.wire.dataBuffer and not end.wire._tempDataLen)
    assert end.wire.write_now(b"three")
    end.wire.loseConnection()
    assert await secure_serving.run(peer.read_all_and_close) == b"one two three"
    assert isinstance(await end.lost, ConnectionDone)


@ensureDeferred
async def test_thousand_connections_leave_nothing(secure_serving: Serving) -> None:
    """Reset before, within and after the handshake: no descriptor, no object stays."""
    ends: list[End] = []

    def build() -> End:
        ends.append(End())
        return ends[-1]

    def servers() -> int:
        gc.collect()
        return sum(isinstance(each, TLSServer) for each in gc.get_objects())

    port = secure_serving.listen(build)

    def clients() -> None:
        for number in range(1000):
            if number % 4:
                plain = dial(port)
                plain.sendall(b"\x16\x03\x01\x02\x00\x01"[: number % 4])
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                plain.close()
            else:
                Peer(port, True).reset()

    objects, descriptors = servers(), len(os.listdir("/proc/self/fd"))
    await secure_serving.run(clients)
    await secure_serving.until(lambda: len(ends) == 1000 and all(end.losses for end in ends))
    ends.clear()
    assert servers() == objects
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 1  # a first thread has one


@ensureDeferred
async def test_more_than_openssl_is_handed_at_once(secure_serving: Serving) -> None:
    """What the socket took but a part of is handed over again just so."""
    end = End()
    peer = await secure_serving.open(end)
    await secure_serving.run(peer.send, b"the handshake is over")
    await secure_serving.until(lambda: end.received)
    end.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * LARGEST_WRITE)
    assert not end.wire.write_now(DATA)
    end.wire.loseConnection()
    assert await secure_serving.run(peer.read_all_and_close) == DATA
    assert isinstance(await end.lost, ConnectionDone)


@ensureDeferred
async def test_little_of_a_file_waits_in_memory(secure_serving: Serving, tmp_path: Path) -> None:
    """Where the client takes nothing: no more of it is read. When it is gone, nothing is."""
    (tmp_path / "file").write_bytes(DATA)
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    end = End()
    port = secure_serving.listen(lambda: end)
    peer = await secure_serving.run(Peer, port, True, 16384)
    end.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    way = TLSSocket(end.wire)
    sent = way.send_file(fd, 0, len(DATA))
    assert sent is not None
    assert FIRST_WRITE <= sent <= LARGEST_WRITE
    assert await secure_serving.run(peer.read, sent) == DATA[:sent]
    await secure_serving.run(peer.close)
    await end.lost
    assert way.send_file(fd, 0, len(DATA)) is None
    os.close(fd)


class Taker:
    """A transport whose socket takes ``room`` bytes each time; ``held`` waits in its buffer."""

    connected = True

    def __init__(self, reactor: Clock) -> None:
        self.reactor = reactor
        self.room = 0
        self.held = 0

    def write_now(self, data: bytes) -> bool:
        """As a ``TLSServer``."""
        taken = min(self.room, len(data))
        self.room -= taken
        self.held = len(data) - taken
        return not self.held


@pytest.mark.parametrize(
    ("room", "pause", "held"),
    [(2_000, 0.2, RECORD), (400_000, 40, RECORD), (1_000_001, 0.01, LARGEST_WRITE)],
)
def test_what_is_held_goes_by_the_pace(room: int, pause: float, held: int, tmp_path: Path) -> None:
    """A slow reader takes little of the memory, a fast one few calls."""
    (tmp_path / "file").write_bytes(bytes(16 << 20))
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    clock = Clock()
    taker: Any = Taker(clock)
    way = TLSSocket(taker)
    most = 0
    for turn in range(10):
        taker.room = room + turn * 50_000 if room > LARGEST_WRITE else room
        assert way.send_file(fd, 0, 16 << 20)
        clock.advance(pause)
        most = max(most, taker.held)
        assert taker.held <= (64 * 1024 if turn < 2 else held)
    assert most > held // 2
    os.close(fd)


def test_a_file_that_ends_is_told(tmp_path: Path) -> None:
    """As by the kernel's own way: nothing was sent."""
    (tmp_path / "file").write_bytes(b"short")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    taker: Any = Taker(Clock())
    taker.room = 100
    assert TLSSocket(taker).send_file(fd, 0, 10) == 5
    assert TLSSocket(taker).send_file(fd, 5, 5) == 0
    os.close(fd)


def test_others_have_no_way_for_files() -> None:
    """A transport in memory, for one."""
    assert file_socket(object()) is None
