"""Listening sockets."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThreadPool

from hubmirror.certificates.server import ServerTLS
from hubmirror.certificates.sources import CertificateFiles
from hubmirror.config import ListenAddress
from hubmirror.listeners import ListenError, Listeners, Wanted
from tests.certificates.making import make, write_pair
from tests.transport.serving import Peer


@pytest_twisted.ensureDeferred
async def test_a_free_port_is_told(reactor: Any) -> None:
    """Port 0 takes one, and the URL has its number."""
    listeners = Listeners(reactor)
    factory = Factory.forProtocol(Protocol)
    (url,) = listeners.listen("http", [ListenAddress("127.0.0.1", 0)], factory)
    host, _, port = url.rpartition(":")
    assert host == "http://127.0.0.1"
    socket.create_connection(("127.0.0.1", int(port))).close()
    await listeners.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(port)))


@pytest_twisted.ensureDeferred
async def test_a_port_in_use_is_told(reactor: Any) -> None:
    """In a sentence with the address and the cause."""
    listeners = Listeners(reactor)
    factory = Factory.forProtocol(Protocol)
    urls = listeners.listen("http", [ListenAddress("127.0.0.1", 0)], factory)
    taken = ListenAddress("127.0.0.1", int(urls[0].rpartition(":")[2]))
    with pytest.raises(ListenError, match=r"127\.0\.0\.1:\d+: Address already in use"):
        Listeners(reactor).listen("http", [taken], factory)
    await listeners.stop()


@pytest_twisted.ensureDeferred
async def test_connections_may_be_under_tls(reactor: Any, tmp_path: Path) -> None:
    """Where they are given what begins it; a port that is taken is told just so."""
    server_tls = ServerTLS(CertificateFiles(*write_pair(tmp_path, make())))
    listeners = Listeners(reactor)
    factory = Factory.forProtocol(Protocol)
    address = ListenAddress("127.0.0.1", 0)
    (url,) = listeners.listen("https", [address], factory, server_tls.secure)
    number = int(url.rpartition(":")[2])
    assert url == f"https://127.0.0.1:{number}"
    listeners.hold()
    listeners.accept()
    peer = await deferToThreadPool(reactor, reactor.getThreadPool(), Peer, number, True)
    assert peer.tls.get_protocol_version_name() == "TLSv1.3"
    await deferToThreadPool(reactor, reactor.getThreadPool(), peer.close)
    taken = ListenAddress("127.0.0.1", number)
    with pytest.raises(ListenError, match=r"https://127\.0\.0\.1:\d+: Address already in use"):
        Listeners(reactor).listen("https", [taken], factory, server_tls.secure)
    await listeners.stop()


def test_an_unknown_name_is_told(reactor: Any) -> None:
    """A host that nobody has."""
    with pytest.raises(ListenError, match=r"name\.invalid"):
        Listeners(reactor).listen(
            "http", [ListenAddress("name.invalid", 0)], Factory.forProtocol(Protocol)
        )


def port_of(url: str) -> int:
    """The number in a URL's end."""
    return int(url.rpartition(":")[2])


class Greeter(Protocol):
    """Says which factory it is of."""

    def connectionMade(self) -> None:
        transport = cast(Any, self.transport)
        transport.write(cast(Any, self.factory).word)
        transport.loseConnection()


def greeting(word: bytes) -> Any:
    """Of connections that say ``word``."""
    factory = Factory.forProtocol(Greeter)
    cast(Any, factory).word = word
    return factory


def heard(number: int, host: str = "127.0.0.1") -> bytes:
    """What is said there."""
    with socket.create_connection((host, number), timeout=10) as connected:
        return connected.recv(100)


async def heard_later(reactor: Any, number: int) -> bytes:
    """The same, while the reactor runs."""
    words: bytes = await deferToThreadPool(reactor, reactor.getThreadPool(), heard, number)
    return words


@pytest_twisted.ensureDeferred
async def test_moves(reactor: Any) -> None:
    """What stays is not touched, what is new is open before what goes is closed."""
    listeners, factory = Listeners(reactor), greeting(b"a")
    stays, goes = ListenAddress("127.0.0.1", 0), ListenAddress("127.0.0.2", 0)
    with listeners.move([Wanted("http", [stays, goes], factory)]) as move:
        first = move.urls(factory)
    comes = ListenAddress("127.0.0.3", 0)
    with listeners.move([Wanted("http", [stays, comes], factory)]) as move:
        second = move.urls(factory)
        socket.create_connection(("127.0.0.2", port_of(first[1]))).close()
    assert second[0] == first[0]
    assert move.fresh == [second[1]]
    assert len(move.closed) == 1
    assert await heard_later(reactor, port_of(second[0])) == b"a"
    with pytest.raises(OSError, match="refused"):
        heard(port_of(first[1]), "127.0.0.2")
    await listeners.stop()


@pytest_twisted.ensureDeferred
async def test_who_waits_at_a_port_that_goes_is_served(reactor: Any) -> None:
    """A connection that the kernel has taken is not reset with the port."""
    listeners, factory = Listeners(reactor), greeting(b"a")
    with listeners.move([Wanted("http", [ListenAddress("127.0.0.1", 0)], factory)]) as move:
        (url,) = move.urls(factory)
    waiting = [socket.create_connection(("127.0.0.1", port_of(url))) for _ in range(100)]
    with listeners.move([]):
        pass
    pool = reactor.getThreadPool()
    words = [await deferToThreadPool(reactor, pool, one.recv, 9) for one in waiting]
    assert words == [b"a"] * 100
    for one in waiting:
        one.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("host", ["", "127.0.0.1"])
async def test_a_number_is_taken_over(reactor: Any, host: str) -> None:
    """From one address to all, or from one factory to another, on the same number."""
    listeners, old, new = Listeners(reactor), greeting(b"old"), greeting(b"new")
    with listeners.move([Wanted("http", [ListenAddress("127.0.0.1", 0)], old)]) as move:
        number = port_of(move.urls(old)[0])
    with listeners.move([Wanted("http", [ListenAddress("127.0.0.1", number)], old)]):
        pass  # known by its number from now on
    with listeners.move([Wanted("http", [ListenAddress(host, number)], new)]):
        pass
    assert await heard_later(reactor, number) == b"new"
    await listeners.stop()


@pytest_twisted.ensureDeferred
async def test_a_move_that_fails_changes_nothing(reactor: Any) -> None:
    """A port in use, or a failure later on: what was open is, and nothing else."""
    listeners, factory = Listeners(reactor), greeting(b"a")
    free, old = ListenAddress("127.0.0.2", 0), ListenAddress("127.0.0.1", 0)
    with listeners.move([Wanted("http", [old], factory)]) as move:
        (url,) = move.urls(factory)
    stranger = Listeners(reactor)
    (taken,) = stranger.listen("http", [old], factory)
    with pytest.raises(ListenError, match="Address already in use"):
        listeners.move(
            [Wanted("http", [free, ListenAddress("127.0.0.1", port_of(taken))], factory)]
        )
    with (  # noqa: PT012 - it is what fails within that matters
        pytest.raises(ZeroDivisionError),
        listeners.move([Wanted("http", [free], factory)]) as move,
    ):
        (new,) = move.fresh
        raise ZeroDivisionError
    with pytest.raises(OSError, match="refused"):
        heard(port_of(new), "127.0.0.2")
    assert await heard_later(reactor, port_of(url)) == b"a"
    await listeners.stop()
    await stranger.stop()
