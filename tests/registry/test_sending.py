"""Bytes to a client, past the buffer and through it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport

from hubmirror.registry.sending import send_now


class Writers:
    """A reactor that only notes who wants to write."""

    def __init__(self) -> None:
        self.waiting: set[object] = set()

    def addWriter(self, writer: object) -> None:
        self.waiting.add(writer)

    def removeWriter(self, writer: object) -> None:
        self.waiting.discard(writer)

    removeReader = removeWriter


@pytest.fixture
def pair() -> Iterator[tuple[Any, socket.socket]]:
    """A server's connection, and the client's socket."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    reactor: Any = Writers()
    connection = Connection(ours, Protocol(), reactor)
    connection.connected = 1
    yield connection, theirs
    ours.close()
    theirs.close()


def test_what_fits_leaves_at_once(pair: tuple[Any, socket.socket]) -> None:
    """Nothing is left to the reactor."""
    connection, client = pair
    send_now(connection, b"abc")
    assert client.recv(10) == b"abc"
    assert connection.reactor.waiting == set()


def test_the_rest_waits_for_the_socket(pair: tuple[Any, socket.socket]) -> None:
    """In its order, with what is sent behind it."""
    connection, client = pair
    data = bytes(range(256)) * 20_000
    send_now(connection, data)
    send_now(connection, b"end")
    assert connection.reactor.waiting == {connection}
    client.settimeout(5)
    got = b""
    while connection.reactor.waiting:
        got += client.recv(1 << 20)
        connection.doWrite()
    client.setblocking(False)
    while len(got) < len(data) + 3:
        got += client.recv(1 << 20)
    assert got == data + b"end"


def test_nothing_overtakes_what_was_written(pair: tuple[Any, socket.socket]) -> None:
    """Bytes that wait in the buffer go first."""
    connection, client = pair
    connection.write(b"first ")
    send_now(connection, b"second")
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(10)
    connection.doWrite()
    assert client.recv(100) == b"first second"


def test_a_lost_connection_is_the_reactors_to_find(pair: tuple[Any, socket.socket]) -> None:
    """Nothing is raised, and the reactor is about to write."""
    connection, client = pair
    client.close()
    send_now(connection, b"abc")
    assert connection.reactor.waiting == {connection}
    ours, theirs = socket.socketpair()
    gone = Connection(ours, Protocol(), connection.reactor)
    send_now(gone, b"abc")  # it never was connected
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(10)
    ours.close()
    theirs.close()


def test_other_transports_are_written_to() -> None:
    """TLS has to change the bytes first."""
    transport = StringTransport()
    send_now(transport, b"abc")
    assert transport.value() == b"abc"
