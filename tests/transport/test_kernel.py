"""Files sent past the buffers, over real sockets, plain and under TLS: what arrives, and when."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import (
    IConsumer,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
)
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from hubmirror.errors import UpstreamFailure
from hubmirror.question import FileSlice, GrowingSlice
from hubmirror.transport.bodies import Bodies
from hubmirror.transport.files import CHUNK
from hubmirror.transport.kernel import IKernelConsumer, KernelSocket, socket_of
from hubmirror.transport.tls import file_socket
from tests.transport.consumer import Consumer
from tests.transport.serving import Serving, client_context

DATA = os.urandom(5 * CHUNK + 1)


@implementer(IConsumer, IKernelConsumer)
class Out(Protocol):
    """The server's end of a connection, as a consumer: what a channel is to its transport."""

    def __init__(self) -> None:
        self.made: Deferred[Out] = Deferred()
        self.by_kernel = 0
        self._producer: Any = None

    def connectionMade(self) -> None:
        cast(Any, self.transport).registerProducer(self, True)
        self.made.callback(self)

    def connectionLost(self, reason: object = None) -> None:
        if self._producer is not None:
            self._producer.stopProducing()

    def pauseProducing(self) -> None:
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        if self._producer is not None:
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        """``connectionLost`` tells."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def write(self, data: bytes) -> None:
        cast(Any, self.transport).write(data)

    def kernel_socket(self) -> KernelSocket | None:
        return file_socket(self.transport)

    def sent_by_kernel(self, count: int) -> None:
        self.by_kernel += count


class In(Protocol):
    """The client's end: keeps what comes."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.made: Deferred[None] = Deferred()
        self.ended: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.made.callback(None)

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: object = None) -> None:
        self.ended.callback(bytes(self.data))


@implementer(IHandshakeListener)
class SecureIn(In):
    """The same under TLS."""

    def connectionMade(self) -> None:
        """There is more to come."""

    def handshakeCompleted(self) -> None:
        super().connectionMade()


@implementer(IOpenSSLClientConnectionCreator)
class Trusting:
    """A client's TLS that trusts anybody."""

    def clientConnectionForTLS(self, protocol: object) -> SSL.Connection:
        return SSL.Connection(client_context(), None)


class Link:
    """A connection over loopback."""

    def __init__(self, out: Out, client: In) -> None:
        self.out = out
        self.client = client

    @classmethod
    async def make(cls, reactor: Any, serving: Serving) -> Link:
        """Connected at both ends."""
        out, client = Out(), In() if serving.secure is None else SecureIn()
        number = serving.listen(lambda: out)
        factory: Any = ClientFactory.forProtocol(lambda: client)
        if serving.secure is not None:
            factory = TLSMemoryBIOFactory(Trusting(), True, factory, reactor)
        reactor.connectTCP("127.0.0.1", number, factory)
        await out.made
        await client.made
        return cls(out, client)

    async def close(self) -> bytes:
        """Close it; all that has arrived."""
        cast(Any, self.out.transport).unregisterProducer()
        cast(Any, self.out.transport).loseConnection()
        return await self.client.ended


def opened(folder: Path, start: int = 0, length: int = len(DATA)) -> FileSlice:
    """A part of a file that holds ``DATA``."""
    path = folder / "file"
    path.write_bytes(DATA)
    return FileSlice(os.open(path, os.O_RDONLY), start, length)


def bodies() -> Bodies:
    """The way that is tested."""
    return Bodies(lambda fd, size, offset: succeed(os.pread(fd, size, offset)))


@pytest.mark.parametrize(
    ("start", "length"), [(0, len(DATA)), (5, 10), (CHUNK - 1, CHUNK + 2), (7, 0)]
)
@pytest_twisted.ensureDeferred
async def test_exactly_the_part_arrives(
    reactor: Any, serving: Serving, tmp_path: Path, start: int, length: int
) -> None:
    """Behind what was written before, and before what is written after."""
    link = await Link.make(reactor, serving)
    link.out.write(b"head\r\n")
    await bodies().send(opened(tmp_path, start, length), link.out)
    assert link.out.by_kernel == length
    link.out.write(b"next")
    assert await link.close() == b"head\r\n" + DATA[start : start + length] + b"next"


@pytest_twisted.ensureDeferred
async def test_a_page_that_is_not_cached_is_read_in_a_thread(
    reactor: Any, serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sendfile would block the reactor on it. The kernel's memory can't be emptied for a test."""
    real, probes = os.preadv, 0

    def every_third_is_cached(*what: Any) -> int:
        nonlocal probes
        probes += 1
        if probes % 3:
            raise BlockingIOError
        return real(*what)

    monkeypatch.setattr(os, "preadv", every_third_is_cached)
    link = await Link.make(reactor, serving)
    await bodies().send(opened(tmp_path), link.out)
    assert link.out.by_kernel < len(DATA)
    assert await link.close() == DATA


@pytest_twisted.ensureDeferred
async def test_a_client_that_takes_nothing_is_waited_for(
    reactor: Any, serving: Serving, tmp_path: Path
) -> None:
    """The kernel's buffer fills, and no more is sent until there is room."""
    link = await Link.make(reactor, serving)
    small = socket.SOL_SOCKET, socket.SO_SNDBUF, 4096
    cast(Any, link.out.transport).socket.setsockopt(*small)
    cast(Any, link.client.transport).pauseProducing()
    sending = bodies().send(opened(tmp_path), link.out)
    await _turns(reactor, 50)
    assert not sending.called
    assert link.out.by_kernel < len(DATA)
    cast(Any, link.client.transport).resumeProducing()
    await sending
    assert await link.close() == DATA


@pytest_twisted.ensureDeferred
async def test_two_clients_share(reactor: Any, serving: Serving, tmp_path: Path) -> None:
    """A turn sends a bounded amount: neither waits for the other's end."""
    links = [await Link.make(reactor, serving) for _ in range(2)]
    sendings = [bodies().send(opened(tmp_path), link.out) for link in links]
    await _until(reactor, lambda: all(link.out.by_kernel for link in links))
    assert any(link.out.by_kernel < len(DATA) for link in links)
    for sending, link in zip(sendings, links, strict=True):
        await sending
        assert await link.close() == DATA


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_ends_it(reactor: Any, serving: Serving, tmp_path: Path) -> None:
    """The file is closed, and nothing goes on."""
    link = await Link.make(reactor, serving)
    cast(Any, link.client.transport).pauseProducing()
    part = opened(tmp_path)
    sending = bodies().send(part, link.out)
    await _turns(reactor, 5)
    cast(Any, link.client.transport).abortConnection()
    with pytest.raises(CancelledError):
        await sending
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(part.fd)


@pytest_twisted.ensureDeferred
async def test_a_file_that_has_become_shorter_is_noticed(
    reactor: Any, serving: Serving, tmp_path: Path
) -> None:
    """The client's body is not whole: that must be seen."""
    link = await Link.make(reactor, serving)
    part = opened(tmp_path, 0, len(DATA) + 100)
    with pytest.raises(UpstreamFailure, match="shorter"):
        await bodies().send(part, link.out)
    assert await link.close() == DATA


@pytest_twisted.ensureDeferred
async def test_what_the_kernel_can_not_send_goes_through_memory(
    reactor: Any, serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every filesystem has sendfile. A test has no other filesystem."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "sendfile", refuse)
    link = await Link.make(reactor, serving)
    sending = bodies().send(opened(tmp_path), link.out)
    await sending.addTimeout(20, reactor)
    assert await link.close() == DATA


@pytest_twisted.ensureDeferred
async def test_a_growing_file_goes_the_same_way(
    reactor: Any, serving: Serving, tmp_path: Path
) -> None:
    """What is there of it."""

    class Growing:
        size = len(DATA)

        def __init__(self, fd: int) -> None:
            self.fd = fd
            self.there = CHUNK + 5

        def available(self, offset: int) -> int:
            return max(0, self.there - offset)

        def wait(self, offset: int) -> Deferred[None]:
            self.there = min(self.size, self.there + CHUNK)
            return succeed(None)

        def close(self) -> None:
            os.close(self.fd)

    link = await Link.make(reactor, serving)
    source: Any = Growing(opened(tmp_path).fd)
    await bodies().send(GrowingSlice(source, 3, len(DATA) - 3), link.out)
    assert link.out.by_kernel == len(DATA) - 3
    assert await link.close() == DATA[3:]


def test_other_consumers_have_no_socket() -> None:
    """Their bytes go through memory."""
    assert socket_of(Consumer()) is None


async def _turns(reactor: Any, number: int) -> None:
    """Let the reactor turn a few times."""
    for _ in range(number):
        turn: Deferred[None] = Deferred()
        reactor.callLater(0, turn.callback, None)
        await turn


async def _until(reactor: Any, condition: Any) -> None:
    for _ in range(10_000):
        if condition():
            return
        await _turns(reactor, 1)
    raise AssertionError("it never happened")
