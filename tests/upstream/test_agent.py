"""Tests of hubmirror.upstream.agent."""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.web.client import ResponseNeverReceived
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers

from hubmirror.errors import UpstreamFailure, UpstreamRefused
from hubmirror.upstream.failures import ConnectTimeout, LookupFailed
from tests.support.certificates import Authority
from tests.upstream.servers import (
    PATIENCE,
    Flood,
    LeaveAt,
    Loopback,
    Upstream,
    flood,
    get,
    upstream,
)

#: How many idle connections a pool keeps to a host.
KEPT = 32


@pytest_twisted.ensureDeferred
async def test_plain(loopback: Loopback) -> None:
    """A configured upstream on loopback is asked in plain HTTP, its Host with the port."""
    server = upstream()
    port = loopback.listen(server)
    assert await get(loopback.agent("127.0.0.1"), f"http://127.0.0.1:{port}/v2/") == (
        200,
        b"hello",
    )
    assert server.received.startswith(b"GET /v2/ HTTP/1.1\r\n")
    assert b"\r\nHost: 127.0.0.1:%d\r\n" % port in server.received


@pytest_twisted.ensureDeferred
async def test_identity_is_pinned(loopback: Loopback) -> None:
    """Whatever a caller says of encodings, the upstream is asked for identity bytes."""
    server = upstream()
    port = loopback.listen(server)
    offered = Headers({b"accept-encoding": [b"gzip", b"br"], b"accept": [b"a/b"]})
    await get(loopback.agent("127.0.0.1"), f"http://127.0.0.1:{port}/", offered)
    received = server.received.lower()
    assert received.count(b"accept-encoding:") == 1
    assert b"\r\naccept-encoding: identity\r\n" in received
    assert b"\r\naccept: a/b\r\n" in received
    assert offered.getRawHeaders(b"accept-encoding") == [b"gzip", b"br"]


@pytest_twisted.ensureDeferred
async def test_connections_are_kept(loopback: Loopback) -> None:
    """The next request goes over the same connection, without a lookup."""
    loopback.names["registry.test"] = "127.0.0.1"
    server = upstream()
    agent, port = loopback.agent("registry.test"), loopback.listen(server)
    for _ in range(3):
        await get(agent, f"http://registry.test:{port}/")
    assert server.connections == 1
    assert loopback.asked == ["registry.test"]


@pytest_twisted.ensureDeferred
async def test_names_that_idna_would_refuse(loopback: Loopback) -> None:
    """A container's name with an underscore is a host like any other."""
    loopback.names["my_registry"] = "127.0.0.1"
    port = loopback.listen(upstream())
    assert (await get(loopback.agent("my_registry"), f"http://my_registry:{port}/"))[0] == 200


@pytest.mark.parametrize("host", ["blobs.test", "127.0.0.1", "127.1"])
@pytest_twisted.ensureDeferred
async def test_refuses_private_addresses(loopback: Loopback, host: str) -> None:
    """What the upstream points to is judged by the address that would be connected to."""
    loopback.names["blobs.test"] = loopback.names["127.1"] = "127.0.0.1"
    server = upstream()
    port = loopback.listen(server)
    with pytest.raises(UpstreamRefused, match=r"127\.0\.0\.1"):
        await get(loopback.agent("registry.test"), f"http://{host}:{port}/")
    assert server.connections == 0


@pytest_twisted.ensureDeferred
async def test_upstream_at_home(loopback: Loopback) -> None:
    """Once the configured upstream is found on loopback, its blob host may be there too."""
    loopback.names.update({"registry.test": "127.0.0.1", "blobs.test": "127.0.0.1"})
    agent, port = loopback.agent("registry.test"), loopback.listen(upstream())
    await get(agent, f"http://registry.test:{port}/")
    assert (await get(agent, f"http://blobs.test:{port}/"))[0] == 200


@pytest_twisted.ensureDeferred
async def test_unknown_name(loopback: Loopback) -> None:
    """A name that nobody knows fails as a lookup does."""
    with pytest.raises(LookupFailed, match=r"gone\.test was not found"):
        await get(loopback.agent(), "https://gone.test/")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ftp://a.test/", SchemeNotSupported),
        ("http://user@a.test/", ValueError),
        ("http://a.test:99999/", ValueError),
        ("http:///", ValueError),
        ("http://a.test/\x00", ValueError),
    ],
)
@pytest_twisted.ensureDeferred
async def test_odd_uris(loopback: Loopback, url: str, error: type[Exception]) -> None:
    """A URI that is none fails through the Deferred, before anything is looked up."""
    requested = loopback.agent().request(b"GET", url.encode())
    with pytest.raises(error):
        await requested
    assert loopback.asked == []


@pytest_twisted.ensureDeferred
async def test_tls_by_name_and_address(loopback: Loopback, authority: Authority) -> None:
    """A certificate for a name and an address is good for both, under the given CA."""
    certificate = authority.issue("server", ("registry.test", "127.0.0.1"))
    port = loopback.listen(upstream(), certificate)
    loopback.names["registry.test"] = "127.0.0.1"
    agent = loopback.agent("registry.test", upstream_ca=authority.certificate)
    for host in ("registry.test", "127.0.0.1"):
        assert await get(agent, f"https://{host}:{port}/") == (200, b"hello")


@pytest_twisted.ensureDeferred
async def test_nothing_is_said_to_a_stranger(loopback: Loopback, authority: Authority) -> None:
    """A request, which may hold a token, is not sent before the certificate is right."""
    server = upstream()
    port = loopback.listen(server, authority.issue("server", ("other.test",)))
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    with pytest.raises(UpstreamFailure, match="another name"):
        await get(agent, f"https://127.0.0.1:{port}/")
    assert server.received == b""


@pytest.mark.parametrize("https", [True, False], ids=["https", "http"])
@pytest.mark.parametrize("leave", [methodcaller("loseConnection"), methodcaller("stopProducing")])
@pytest_twisted.ensureDeferred
async def test_leaving_ends_the_transfer(
    loopback: Loopback, authority: Authority, leave: Callable[[Any], None], https: bool
) -> None:
    """Who has lost interest in a body ends it at once: the server sends only a little more."""
    server = flood()
    port = loopback.listen(server, authority.issue("server") if https else None)
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    url = f"http{'s' if https else ''}://127.0.0.1:{port}/"
    response = await agent.request(b"GET", url.encode())
    response.deliverBody(LeaveAt(leave))
    await server.ended.addTimeout(PATIENCE, loopback.reactor)
    assert server.sent < 16 << 20


@pytest_twisted.ensureDeferred
async def test_leaving_while_paused(loopback: Loopback, authority: Authority) -> None:
    """A transfer that stands still, as the client was slow, ends as promptly."""
    server = flood()
    port = loopback.listen(server, authority.issue("server"))
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    response = await agent.request(b"GET", f"https://127.0.0.1:{port}/".encode())

    def pause_then_leave(transport: Any) -> None:
        transport.pauseProducing()
        loopback.reactor.callLater(0, transport.loseConnection)

    response.deliverBody(LeaveAt(pause_then_leave))
    await server.ended.addTimeout(PATIENCE, loopback.reactor)


@pytest_twisted.ensureDeferred
async def test_cancelling_ends_the_request(loopback: Loopback, authority: Authority) -> None:
    """A request that nobody waits for any more leaves no connection behind."""
    server = flood()
    server.protocol = Silent
    server.asked = Deferred()
    port = loopback.listen(server, authority.issue("server"))
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    requested = agent.request(b"GET", f"https://127.0.0.1:{port}/".encode())
    failures: list[Any] = []
    requested.addErrback(failures.append)
    await server.asked.addTimeout(PATIENCE, loopback.reactor)
    requested.cancel()
    await server.ended.addTimeout(PATIENCE, loopback.reactor)
    assert len(failures) == 1


@pytest_twisted.ensureDeferred
async def test_cancelling_ends_connecting(loopback: Loopback) -> None:
    """A request that is given up while its connection is made leaves nothing behind."""
    port = loopback.listen(Factory.forProtocol(Protocol))
    requested = loopback.agent("127.0.0.1").request(b"GET", f"https://127.0.0.1:{port}/".encode())
    requested.cancel()
    with pytest.raises((CancelledError, ConnectingCancelledError)):
        await requested


@pytest_twisted.ensureDeferred
async def test_last_answer_of_a_connection(loopback: Loopback, authority: Authority) -> None:
    """Ending at once cuts nothing off an answer after which the upstream closes."""
    body = bytes(1 << 20)
    server = upstream(body, is_last=True)
    port = loopback.listen(server, authority.issue("server"))
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    for _ in range(2):
        assert await get(agent, f"https://127.0.0.1:{port}/") == (200, body)
    assert server.connections == 2


@pytest_twisted.ensureDeferred
async def test_kept_connection_that_went_stale(loopback: Loopback) -> None:
    """A request that meets a kept connection as the upstream closes it goes out again."""
    server = upstream()
    server.protocol = OneAnswer
    agent, port = loopback.agent("127.0.0.1"), loopback.listen(server)
    for _ in range(2):
        assert (await get(agent, f"http://127.0.0.1:{port}/"))[0] == 200
    assert server.connections == 2


@pytest_twisted.ensureDeferred
async def test_connecting_has_a_limit(loopback: Loopback, authority: Authority) -> None:
    """A peer that takes the connection and never speaks TLS costs the time limit."""
    port = loopback.listen(Factory.forProtocol(Protocol))
    agent = loopback.agent("127.0.0.1", connect_timeout=0.05)
    with pytest.raises(ConnectTimeout, match=r"connecting to 127\.0\.0\.1 took longer than 0\.05"):
        await get(agent, f"https://127.0.0.1:{port}/")


async def until(loopback: Loopback, condition: Callable[[], bool]) -> None:
    """Let the reactor turn until ``condition`` holds."""
    for _ in range(int(PATIENCE * 1000)):
        if condition():
            return
        await deferLater(loopback.reactor, 0.001)
    raise AssertionError("it does not come about")


async def get_all(agent: Any, url: str, count: int) -> None:
    """So many GETs at once."""
    asked = [Deferred.fromCoroutine(get(agent, url)) for _ in range(count)]
    assert await gatherResults(asked) == [(200, b"hello")] * count


def crowd(size: int) -> Any:
    server = upstream()
    server.protocol, server.crowd, server.size = Crowd, [], size
    return server


@pytest_twisted.ensureDeferred
async def test_each_host_has_its_own(loopback: Loopback, authority: Authority) -> None:
    """Registry, token server and blob host are asked again over the connections they have."""
    hosts = ("registry.test", "auth.test", "blobs.test")
    servers = {host: upstream() for host in hosts}
    ports = {host: loopback.listen(servers[host], authority.issue(host, (host,))) for host in hosts}
    loopback.names.update(dict.fromkeys(hosts, "127.0.0.1"))
    agent = loopback.agent(*hosts, upstream_ca=authority.certificate)
    for _ in range(3):
        for host in hosts:
            await get(agent, f"https://{host}:{ports[host]}/")
    assert [servers[host].connections for host in hosts] == [1, 1, 1]


@pytest_twisted.ensureDeferred
async def test_several_at_once(loopback: Loopback, authority: Authority) -> None:
    """As many connections as requests run at once; all of them serve the next as many."""
    server = crowd(8)
    port = loopback.listen(server, authority.issue("server"))
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    for _ in range(2):
        await get_all(agent, f"https://127.0.0.1:{port}/", 8)
    assert server.connections == 8


@pytest_twisted.ensureDeferred
async def test_up_to_a_limit(loopback: Loopback, authority: Authority) -> None:
    """Of more than 32 connections the others are closed when their answers are there."""
    server = crowd(KEPT + 3)
    port = loopback.listen(server, authority.issue("server"))
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    for _ in range(2):
        await get_all(agent, f"https://127.0.0.1:{port}/", KEPT + 3)
    assert server.connections == KEPT + 6


@pytest_twisted.ensureDeferred
async def test_idle_ones_are_closed(loopback: Loopback, authority: Authority) -> None:
    """After a minute without a request a connection ends, and not before."""
    server, clock = upstream(), Clock()
    server.protocol, server.closed = Counted, 0
    port = loopback.listen(server, authority.issue("server"))
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate, idle_clock=clock)
    url = f"https://127.0.0.1:{port}/"
    for _ in range(2):  # a request begins the minute anew
        await get(agent, url)
        clock.advance(59)
    assert (server.connections, server.closed) == (1, 0)
    clock.advance(1)
    await until(loopback, lambda: server.closed == 1)
    await get(agent, url)
    assert server.connections == 2


@pytest_twisted.ensureDeferred
async def test_closed_by_the_server_meanwhile(loopback: Loopback, authority: Authority) -> None:
    """A GET on a kept connection that the server closes just then goes out on another."""
    server = upstream()
    server.protocol = OneAnswer
    port = loopback.listen(server, authority.issue("server"))
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    for _ in range(3):
        assert await get(agent, f"https://127.0.0.1:{port}/") == (200, b"hello")
    assert server.connections == 3


@pytest_twisted.ensureDeferred
async def test_what_may_do_harm_is_not_sent_twice(loopback: Loopback, authority: Authority) -> None:
    """A POST that meets the same fails: the server may have heard it."""
    server = upstream()
    server.protocol = OneAnswer
    port = loopback.listen(server, authority.issue("server"))
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    url = f"https://127.0.0.1:{port}/"
    await get(agent, url)
    with pytest.raises(ResponseNeverReceived):
        await agent.request(b"POST", url.encode())
    assert server.connections == 1


class Silent(Flood):
    """Is asked, and says nothing."""

    def dataReceived(self, data: bytes) -> None:
        self.factory.asked.callback(None)


class OneAnswer(Upstream):
    """Answers once a connection, and hangs up on the next request."""

    has_answered = False

    def dataReceived(self, data: bytes) -> None:
        if self.has_answered:
            self.transport.loseConnection()
        else:
            self.has_answered = True
            super().dataReceived(data)


class Crowd(Upstream):
    """Answers nobody before ``factory.size`` are there."""

    def dataReceived(self, data: bytes) -> None:
        crowd = self.factory.crowd
        crowd.append(self.transport)
        if len(crowd) == self.factory.size:
            for transport in crowd:
                transport.write(self.factory.answer)
            crowd.clear()


class Counted(Upstream):
    """Tells ``factory.closed`` of each end."""

    def connectionLost(self, reason: object = None) -> None:
        self.factory.closed += 1


def test_a_ca_that_is_none(loopback: Loopback, tmp_path: Path) -> None:
    """A bundle that cannot be read is an error when the agent is made."""
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ValueError, match=r"ca\.pem"):
        loopback.agent(upstream_ca=tmp_path / "ca.pem")
