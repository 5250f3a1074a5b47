"""The mirror's own HTTP over real sockets, plain and under TLS, and programs as clients."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from typing import Any, cast

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import provider

from hubmirror.transport.ports import ACCEPT_PAUSE, TELL_AGAIN, PlainPort, TLSPort
from tests.conftest import LoggedFailures
from tests.registry.edge import Edge
from tests.support.programs import find_program
from tests.transport.serving import Echo, Peer, Serving

GET = b"GET /v2/ HTTP/1.1\r\nHost: mirror.example\r\n\r\n"
LAST = GET[:-2] + b"Connection: close\r\n\r\n"


def tell(request: Any) -> bytes:
    """An upstream that has its say."""
    request.setHeader("Content-Type", "application/json")
    return b'{"told": "%d"}' % request.content.tell()


async def conversation(serving: Serving, edge: Edge, *sent: bytes) -> bytes:
    """What the mirror says to a client that sends these, each in one go, until it hangs up."""
    port = serving.listen_with(edge.site)
    peer = await serving.run(Peer, port, serving.secure is not None)
    for data in sent:
        await serving.run(peer.send, data)
    reading = serving.run(peer.read_all_and_close)
    await _settled(serving, edge, reading)
    heard = await reading
    await serving.until(lambda: not edge.site.connections)
    return heard


async def _settled(serving: Serving, edge: Edge, working: Deferred[Any]) -> None:
    """The mirror's upstream is in memory: it answers when it is told to."""

    def is_done() -> bool:
        edge.settle()
        return working.called

    await serving.until(is_done)


@ensureDeferred
async def test_requests_one_after_another(serving: Serving) -> None:
    """On a kept connection, until the client wants no more."""
    edge = Edge()
    edge.upstream.answer = tell
    heard = await conversation(serving, edge, GET, GET, LAST)
    assert heard.count(b"HTTP/1.1 200 OK\r\n") == heard.count(b'{"told"') == 3


@ensureDeferred
async def test_requests_that_come_together(serving: Serving) -> None:
    """Pipelined, so in one record: those behind the first are not forgotten, nor those after."""
    edge = Edge()
    edge.upstream.answer = tell
    heard = await conversation(serving, edge, GET * 100 + GET[:30], GET[30:] + LAST)
    assert heard.count(b"HTTP/1.1 200 OK\r\n") == heard.count(b'{"told"') == 102


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n" + GET, 400),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413),
    ],
)
@ensureDeferred
async def test_refusals_arrive(serving: Serving, sent: bytes, status: int) -> None:
    """Whatever the client had still to say: it hears why, once, and then the end."""
    edge = Edge()
    heard = await conversation(serving, edge, sent)
    assert heard.startswith(b"HTTP/1.1 %d " % status)
    assert heard.count(b"HTTP/1.1 ") == 1
    assert heard.endswith(b"]}\n")


@ensureDeferred
async def test_the_scheme_is_known(serving: Serving) -> None:
    """Where clients are sent for a token is on the same side of TLS."""
    edge = Edge()

    def challenge(request: Any) -> bytes:
        request.setResponseCode(401)
        request.setHeader("WWW-Authenticate", 'Bearer realm="https://auth.example/t",service="s"')
        return b"{}"

    edge.upstream.answer = challenge
    heard = await conversation(serving, edge, LAST)
    scheme = b"http" if serving.secure is None else b"https"
    assert b'realm="%s://mirror.example/token"' % scheme in heard


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@ensureDeferred
async def test_openssl_resumes_and_renews_its_keys(
    secure_serving: Serving, version: str, tmp_path: Any
) -> None:
    """A second handshake is a short one; ``K`` asks for new keys on TLS 1.3 (RFC 8446, 4.6.3)."""
    port = secure_serving.listen(Echo)
    program = (find_program("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", version)
    session = tmp_path / "session"
    steps = [("hello\n", "hello\n"), ("Q\n", "DONE\n")]
    if version == "-tls1_3":
        steps[1:1] = [("K\n", "KEYUPDATE\n"), ("after\n", "after\n")]

    def client(*more: str) -> str:
        with subprocess.Popen(
            (*program, *more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            assert running.stdin is not None
            assert running.stdout is not None
            heard = ""
            for said, answer in steps:
                running.stdin.write(said)
                running.stdin.flush()
                for line in running.stdout:
                    heard += line
                    if line == answer:
                        break
            return heard

    first = await secure_serving.run(client, "-sess_out", str(session))
    again = await secure_serving.run(client, "-sess_in", str(session))
    assert "\nNew, TLS" in first
    assert "\nReused, TLS" in again
    assert again.endswith("DONE\n")


@ensureDeferred
async def test_curl_gets_what_is_there(serving: Serving) -> None:
    """Twice over one connection."""
    edge = Edge()
    edge.upstream.answer = tell
    port = serving.listen_with(edge.site)
    url = f"{'http' if serving.secure is None else 'https'}://127.0.0.1:{port}/v2/"
    options = ("--silent", "--insecure", "--noproxy", "*", "--max-time", "20")

    def client() -> str:
        command = (find_program("curl"), *options, url, url, "--write-out", "%{num_connects};")
        return subprocess.run(command, capture_output=True, text=True).stdout

    running = serving.run(client)
    await _settled(serving, edge, running)
    assert await running == '{"told": "0"}1;{"told": "0"}0;'
    await serving.until(lambda: not edge.site.connections)


@ensureDeferred
async def test_it_is_a_port(secure_serving: Serving) -> None:
    """With an address, until it is stopped."""
    secure: Any = secure_serving.secure
    factory: Any = Edge().site
    port = TLSPort(0, factory, secure, secure_serving.reactor, 5, "127.0.0.1")
    port.startListening()
    assert port.getHost().host == "127.0.0.1"
    assert port.backlog == 5
    await port.stopListening()


class Short:
    """A listening socket; ``lacks`` is the error that there is instead of a connection."""

    def __init__(self) -> None:
        self.lacks: int | None = None
        self.waiting: list[tuple[Any, tuple[str, int]]] = []
        self.asked = 0

    def accept(self) -> tuple[Any, tuple[str, int]]:
        """As that of a socket that doesn't block."""
        self.asked += 1
        if self.lacks is not None:
            raise OSError(self.lacks, os.strerror(self.lacks))
        if not self.waiting:
            raise BlockingIOError(errno.EAGAIN, "nobody waits")
        return self.waiting.pop()


class Turning(Clock):
    """A reactor: it has each port that it listens to read in each turn."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.addReader = self.readers.add
        self.removeReader = self.readers.discard

    def turn(self, seconds: float = 0.0) -> None:
        """Once, after so long."""
        self.advance(seconds)
        for reader in list(self.readers):
            reader.doRead()


class Port(PlainPort):
    """Of a ``Short`` socket; notes whom it has accepted."""

    def __init__(self, reactor: Turning) -> None:
        super().__init__(0, Factory.forProtocol(Protocol), reactor)
        self.socket: Any = Short()
        self.accepted: list[Any] = []
        self.connected = True
        self.transport: Any = lambda accepted, *_: self.accepted.append(accepted)
        self.startReading()

    def wait(self, number: int) -> None:
        """So many clients come."""
        self.socket.waiting += [(Socket(), ("192.0.2.1", 40000)) for _ in range(number)]


class Socket:
    """A connection's."""

    is_closed = False

    def close(self) -> None:
        """It is over."""
        self.is_closed = True


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What ports log."""
    lines: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == f"{Port.__module__}.{Port.__name__}":
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def test_few_are_taken_in_a_turn() -> None:
    """Who is there already has a turn, too."""
    reactor = Turning()
    port = Port(reactor)
    port.wait(1000)
    reactor.turn()
    assert len(port.accepted) == port.at_once
    for _ in range(1000 // port.at_once):
        reactor.turn()
    assert len(port.accepted) == 1000


@pytest.mark.parametrize("lacks", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_nobody_is_lost_where_something_lacks(lacks: int, told: list[str]) -> None:
    """They wait; it is asked now and then; it is told once, and once that it is over."""
    reactor = Turning()
    port = Port(reactor)
    port.wait(3)
    port.socket.lacks = lacks
    for _ in range(1000):
        reactor.turn(ACCEPT_PAUSE / 100)
    assert port.socket.asked <= 11
    assert len(told) == 1
    assert errno.errorcode[lacks] in told[0]
    port.socket.lacks = None
    reactor.turn(ACCEPT_PAUSE)
    assert len(port.accepted) == 3
    assert told[1:] == ["connections are accepted again, 2.7 s later"]
    reactor.turn(ACCEPT_PAUSE)
    assert len(told) == 2


def test_what_lacks_for_long_is_told_now_and_then(told: list[str]) -> None:
    """And no more often where it comes and goes."""
    reactor = Turning()
    port = Port(reactor)
    for number in range(int(3 * TELL_AGAIN / ACCEPT_PAUSE)):
        port.socket.lacks = errno.EMFILE if number % 2 else None
        reactor.turn(ACCEPT_PAUSE)
    assert sum("wait" in line for line in told) == 3
    assert len(told) == 6


def test_who_has_gone_is_passed_over() -> None:
    """Between its coming and its turn."""
    reactor = Turning()
    port = Port(reactor)
    port.wait(2)
    accept, errors = port.socket.accept, [errno.ECONNABORTED, errno.EPERM]

    def flaky() -> Any:
        if errors:
            raise OSError(errors.pop(), "gone")
        return accept()

    port.socket.accept = flaky
    reactor.turn()
    assert len(port.accepted) == 2


def test_a_connection_that_can_not_begin_harms_no_other(
    told: list[str], logged_failures: LoggedFailures
) -> None:
    """It is closed, and the defect told."""
    reactor = Turning()
    port = Port(reactor)
    port.wait(2)
    defective = port.socket.waiting[-1][0]
    begin = port.transport

    def defect(accepted: Any, *others: Any) -> Any:
        if accepted is defective:
            raise ZeroDivisionError
        return begin(accepted, *others)

    port.transport = defect
    reactor.turn()
    assert (defective.is_closed, len(port.accepted)) == (True, 1)
    assert told == ["a connection could not begin"]
    assert len(logged_failures.take(ZeroDivisionError)) == 1


@ensureDeferred
async def test_a_port_may_stop_while_something_lacks(reactor: Any) -> None:
    """It doesn't begin again."""
    factory: Any = Edge().site
    port = PlainPort(0, factory, reactor, 5, "127.0.0.1")
    port.startListening()
    listening, short = port.socket, Short()
    short.lacks = errno.EMFILE
    port.socket = cast(Any, short)
    port.doRead()
    assert port not in reactor.getReaders()
    port.socket = listening
    await port.stopListening()
    assert port not in reactor.getReaders()
    assert not any(call.active() for call in reactor.getDelayedCalls())


@ensureDeferred
async def test_a_protocol_that_can_not_begin_is_ended(
    reactor: Any, logged_failures: LoggedFailures
) -> None:
    """And its client is hung up on."""

    class Defective(Protocol):
        def connectionMade(self) -> None:
            raise ZeroDivisionError

    serving = Serving(reactor, None)
    port = PlainPort(0, Factory.forProtocol(Defective), reactor, 5, "127.0.0.1")
    port.startListening()
    peer = await serving.run(Peer, port.getHost().port, False)
    assert await serving.run(peer.read_all_and_close) == b""
    await port.stopListening()
    assert len(logged_failures.take(ZeroDivisionError)) == 1
