"""Both ends of a relay over a real socket: what clients of a worker get from the other process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import provider

from hubmirror.errors import RegistryError
from hubmirror.registry.channel import Limits
from hubmirror.registry.relay import Relay, RelayResource
from hubmirror.registry.relayed import RelayedSite
from hubmirror.registry.root import Root
from hubmirror.registry.site import Frontage, MirrorSite
from tests.registry.edge import Edge, Wire, hang_up

FRONTAGE = Frontage(trusted_proxies=(ip_network("10.0.0.0/8"),))
BLOB = bytes(range(256)) * 20_000


class Told(Resource):
    """Tells what it sees of a request."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        client, message = request.mirror_client, request.exchange.message
        told = {
            "client": client.address,
            "url": client.public_url,
            "secure": request.isSecure(),
            "fields": sorted(name.decode() for name in message.fields),
            "body": message.body.decode(),
        }
        return json.dumps(told).encode()


class Blob(Resource):
    """A large body."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        request.setHeader("ETag", '"blob"')
        request.setHeader("Accept-Ranges", "bytes")
        return BLOB


class Hanging(Resource):
    """Never answers; knows who waits and who has left."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.left = 0

    def render_GET(self, request: Any) -> int:
        self.waiting += 1

        def leave(_: object) -> None:
            self.left += 1

        request.notifyFinish().addErrback(leave)
        return NOT_DONE_YET


class Heard(Resource):
    """Where reports come in."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[bytes] = []
        self.is_broken = False

    def render_POST(self, request: Any) -> bytes:
        if self.is_broken:
            raise ZeroDivisionError
        self.reports.append(request.content.read())
        request.setResponseCode(204)
        return b""


class Processes:
    """A worker's site, and the other process behind a socket in ``folder``."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        self.reactor = reactor
        self.path = str(folder / "keeper.sock")
        self.hanging, self.heard = Hanging(), Heard()
        self.root: Any = Root({b"told": Told(), b"blob": Blob(), b"hanging": self.hanging})
        self.relay = Relay(reactor, UNIXClientEndpoint(reactor, self.path))
        elsewhere = Root({}, otherwise=RelayResource(self.relay))
        self.site = MirrorSite(elsewhere, reactor, limits=Limits(), frontage=FRONTAGE)
        self.channels: list[Any] = []
        self.listen()

    def listen(self) -> None:
        """The other process is there."""
        self.relayed = RelayedSite(self.root, self.heard, self.reactor, FRONTAGE)
        self._port = self.reactor.listenUNIX(self.path, self.relayed)

    async def die(self) -> None:
        """And gone, its connections with it."""
        await self._port.stopListening()
        self.relayed.cut()
        await self.until(lambda: self.relayed.connections == 0)

    async def end(self) -> None:
        """Of both."""
        for channel in self.channels:
            hang_up(channel)
        self.relay.close()
        await self.die()

    def send(self, data: bytes, peer: str = "192.0.2.1") -> Wire:
        """On a new connection to the worker."""
        wire = Wire(peer)
        channel = self.site.buildProtocol(IPv4Address("TCP", peer, 40000))
        channel.makeConnection(wire)
        self.channels.append(channel)
        channel.dataReceived(data)
        return wire

    async def get(self, target: str, *fields: str, peer: str = "192.0.2.1") -> Wire:
        """One request, and its whole answer."""
        lines = [f"GET {target} HTTP/1.1", "Host: mirror.example:5000", *fields, "", ""]
        return await self.answered(self.send("\r\n".join(lines).encode(), peer))

    async def answered(self, wire: Wire) -> Wire:
        """When an answer is there whole, by its length."""
        await self.until(lambda: is_whole(wire))
        return wire

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the reactor turn until ``condition`` holds."""
        for _ in range(10_000):
            if condition():
                return
            await deferLater(self.reactor, 0.001, lambda: None)
        raise AssertionError("it never happened")


def is_whole(wire: Wire) -> bool:
    """Whether an answer with a length is there."""
    fields = wire.head().lower().partition("content-length: ")[2]
    return bool(fields) and len(wire.body()) >= int(fields.partition("\r\n")[0])


@pytest_twisted.async_yield_fixture
async def processes(reactor: Any, tmp_path: Path) -> AsyncIterator[Processes]:
    """Both of them."""
    made = Processes(reactor, tmp_path)
    yield made
    await made.end()


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """The access log's lines while a test runs."""
    seen: list[dict[str, Any]] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if "access" in event:
            seen.append(event["access"])

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


@ensureDeferred
async def test_the_other_process_knows_the_client(processes: Processes) -> None:
    """By its address, and as what it knows this mirror; nothing of the relay is left to see."""
    told = json.loads((await processes.get("/told")).body())
    assert told["client"] == "192.0.2.1"
    assert told["url"] == "http://mirror.example:5000"
    assert not told["secure"]
    assert told["fields"] == ["host"]


@ensureDeferred
async def test_nobody_can_pass_for_another(processes: Processes) -> None:
    """Whatever he says of himself: only a proxy that is trusted has a word."""
    forged = ("Hubmirror-Caller: 10.0.0.1 evil:1 https", "X-Forwarded-For: 203.0.113.7")
    told = json.loads((await processes.get("/told", *forged)).body())
    assert told["client"] == "192.0.2.1"
    assert told["url"] == "http://mirror.example:5000"
    assert "hubmirror-caller" not in told["fields"]


@ensureDeferred
async def test_a_trusted_proxy_has_its_word(processes: Processes) -> None:
    """There as here."""
    forwarded = ("X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https")
    told = json.loads((await processes.get("/told", *forwarded, peer="10.0.0.1")).body())
    assert told["client"] == "203.0.113.7"
    assert told["url"] == "https://mirror.example:5000"


@ensureDeferred
async def test_clients_take_turns_on_a_connection(processes: Processes) -> None:
    """Each is told as itself."""
    for peer in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.1"):
        told = json.loads((await processes.get("/told", peer=peer)).body())
        assert told["client"].partition("/")[0] == peer
    assert processes.relayed.connections == 1


@ensureDeferred
async def test_a_body_comes_through(processes: Processes) -> None:
    """Chunked or not."""
    chunks = b"Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n"
    for body in (b"Content-Length: 3\r\n\r\na=b", chunks):
        sent = processes.send(b"POST /told HTTP/1.1\r\nHost: a\r\n" + body)
        wire = await processes.answered(sent)
        assert json.loads(wire.body())["body"] == "a=b"


@ensureDeferred
async def test_a_large_answer_comes_through(processes: Processes) -> None:
    """Byte by byte the same; and a HEAD of it, without any."""
    assert (await processes.get("/blob")).body() == BLOB
    wire = processes.send(b"HEAD /blob HTTP/1.1\r\nHost: a\r\n\r\n")
    await processes.until(wire.value)
    assert f"content-length: {len(BLOB)}" in wire.head().lower()
    assert wire.body() == b""
    assert processes.relayed.connections == 1


@ensureDeferred
async def test_a_client_that_leaves_is_missed(processes: Processes) -> None:
    """The other process hears of it, and ends what only it wanted."""
    processes.send(b"GET /hanging HTTP/1.1\r\nHost: a\r\n\r\n")
    await processes.until(lambda: processes.hanging.waiting)
    hang_up(processes.channels.pop())
    await processes.until(lambda: processes.hanging.left)
    await processes.until(lambda: processes.relayed.connections == 0)


@ensureDeferred
async def test_another_takes_its_place(processes: Processes) -> None:
    """Who waits for an answer gets the new one's."""
    wire = processes.send(b"GET /hanging HTTP/1.1\r\nHost: a\r\n\r\n")
    await processes.until(lambda: processes.hanging.waiting)
    processes.root = Root({b"hanging": Told()})
    await processes.die()
    processes.listen()
    assert (await processes.answered(wire)).status() == 200


@ensureDeferred
async def test_each_request_is_logged_once(
    processes: Processes, lines: list[dict[str, Any]]
) -> None:
    """Where it is served, under the id that the client is told; a report is no request."""
    wire = await processes.get("/told?n=1")
    await processes.relay.report(b"{}")
    assert len(lines) == 1
    assert lines[0]["client"] == "192.0.2.1"
    assert lines[0]["path"] == "/told?n=1"
    assert lines[0]["bytes"] == len(wire.body())
    assert f"x-request-id: {lines[0]['id']}" in wire.head().lower()


@ensureDeferred
async def test_reports_come_in_by_the_same_way(processes: Processes) -> None:
    """But not from clients, whatever they ask for."""
    await processes.relay.report(b'{"spent": []}')
    assert processes.heard.reports == [b'{"spent": []}']
    sent = processes.send(b"POST /report HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
    assert (await processes.answered(sent)).status() == 404
    assert processes.heard.reports == [b'{"spent": []}']
    assert (await processes.get("/told")).status() == 200


@ensureDeferred
async def test_a_report_that_fails_is_told(processes: Processes, logged_failures: Any) -> None:
    """The worker knows that it was not heard."""
    processes.heard.is_broken = True
    with pytest.raises(RegistryError):
        await processes.relay.report(b"{}")
    assert logged_failures.take(ZeroDivisionError)


@ensureDeferred
async def test_no_client_is_turned_away_there(processes: Processes) -> None:
    """Limits are the worker's: to the other process all clients come from one end."""
    for number in range(300):
        processes.send(b"GET /hanging HTTP/1.1\r\nHost: a\r\n\r\n", f"192.0.2.{number % 100}")
    await processes.until(lambda: processes.hanging.waiting == 300)
    assert processes.relayed.connections == 300


@ensureDeferred
async def test_an_absolute_target_is_the_clients_own_ends(processes: Processes) -> None:
    """RFC 9112, section 3.2.2: judged by the address at which the client came in."""
    targets = {b"http://127.0.0.1:5000/told": 200, b"http://evil.example/told": 421}
    for target, status in targets.items():
        sent = processes.send(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await processes.answered(sent)).status() == status


@ensureDeferred
async def test_the_registrys_api_is_served(processes: Processes) -> None:
    """A whole mirror behind the relay."""
    edge = Edge()
    processes.relayed.resource = edge.site.resource
    sent = processes.send(b"GET /v2/A/manifests/b HTTP/1.1\r\nHost: a\r\n\r\n")
    answered = await processes.answered(sent)
    assert answered.error()["code"] == "NAME_INVALID"
    wire = processes.send(b"HEAD /v2/A/manifests/b HTTP/1.1\r\nHost: a\r\n\r\n")
    await processes.until(wire.value)
    assert wire.status() == answered.status()
    assert wire.body() == b""


@ensureDeferred
async def test_draining_waits_for_what_is_asked(processes: Processes) -> None:
    """The other process ends when its running answers have gone."""
    wire = processes.send(b"GET /hanging HTTP/1.1\r\nHost: a\r\n\r\n")
    await processes.until(lambda: processes.hanging.waiting)
    drained: Deferred[None] = processes.relayed.drain(60.0)
    await deferLater(processes.reactor, 0, lambda: None)
    assert not drained.called
    hang_up(processes.channels.pop())
    await drained
    assert wire.value() == b""
