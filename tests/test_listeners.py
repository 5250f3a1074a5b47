"""Listening sockets."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThreadPool

from hubmirror.certificates.server import ServerTLS
from hubmirror.certificates.sources import CertificateFiles
from hubmirror.config import ListenAddress
from hubmirror.listeners import ListenError, Listeners
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
