"""Listening sockets."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.protocol import Factory, Protocol

from hubmirror.config import ListenAddress
from hubmirror.listeners import ListenError, Listeners


@pytest_twisted.ensureDeferred
async def test_a_free_port_is_told(reactor: Any) -> None:
    """Port 0 takes one, and the URL has its number."""
    listeners = Listeners(reactor)
    listeners.listen("http", [ListenAddress("127.0.0.1", 0)], Factory.forProtocol(Protocol))
    (url,) = listeners.urls
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
    listeners.listen("http", [ListenAddress("127.0.0.1", 0)], factory)
    taken = ListenAddress("127.0.0.1", int(listeners.urls[0].rpartition(":")[2]))
    with pytest.raises(ListenError, match=r"127\.0\.0\.1:\d+: Address already in use"):
        Listeners(reactor).listen("http", [taken], factory)
    await listeners.stop()


def test_an_unknown_name_is_told(reactor: Any) -> None:
    """A host that nobody has."""
    with pytest.raises(ListenError, match=r"name\.invalid"):
        Listeners(reactor).listen(
            "http", [ListenAddress("name.invalid", 0)], Factory.forProtocol(Protocol)
        )
