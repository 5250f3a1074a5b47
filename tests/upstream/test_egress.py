"""Tests of hubmirror.upstream.egress, through a real proxy where one can be had."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from hubmirror.errors import UpstreamFailure, UpstreamRefused
from hubmirror.upstream.egress import MAX_ANSWER, Credentials, Egress, TunnelEndpoint, bypasses
from tests.support.certificates import Authority
from tests.support.programs import Program
from tests.support.waiting import wait_until
from tests.upstream.servers import PATIENCE, LeaveAt, Loopback, flood, get, upstream

# What is configured


def test_parses_a_proxy() -> None:
    """Host, port, and the credentials that a URL may hold, percent-decoded."""
    egress = Egress.parse("http://us%20er:p%40ss@Proxy.Example:3128/")
    assert (egress.host, egress.port) == ("proxy.example", 3128)
    assert egress.credentials == Credentials("us er", "p@ss")
    assert str(egress) == "proxy.example:3128"


def test_parses_what_variables_hold() -> None:
    """As in HTTPS_PROXY, the scheme and the port may be missing."""
    assert Egress.parse("proxy.example:3128") == Egress("proxy.example", 3128)
    assert Egress.parse("http://[fd00::1]") == Egress("fd00::1", 80)


def test_given_credentials_win() -> None:
    """Credentials from a file take the place of the URL's."""
    egress = Egress.parse("http://a:b@p:1", credentials=Credentials("c", "d"))
    assert egress.credentials == Credentials("c", "d")


@pytest.mark.parametrize(
    "url",
    [
        "https://s3cret@p:1",
        "http://",
        "http://s3cret@p:x",
        "http://p:1/s3cret",
        "socks5://p:1",
        "http://[s3cret]:1",
    ],
)
def test_odd_proxies(url: str) -> None:
    """What is no HTTP proxy is an error that does not repeat what may be secret."""
    with pytest.raises(ValueError, match="egress proxy") as refused:
        Egress.parse(url)
    assert "s3cret" not in str(refused.value)


def test_credentials_hide() -> None:
    """No representation shows the password."""
    credentials = Credentials.parse("user:s3:cret\n")
    assert credentials.password == "s3:cret"
    assert credentials.basic() == b"Basic dXNlcjpzMzpjcmV0"
    assert "cret" not in repr(Egress("p", 1, credentials))
    with pytest.raises(ValueError, match="user:password"):
        Credentials.parse("s3cret")


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        ("", "hub.example", 443, False),
        ("*", "hub.example", 443, True),
        ("other, hub.example", "hub.example", 443, True),
        ("other hub.example", "HUB.example.", 443, True),
        ("example", "hub.example", 443, True),
        ("ample", "hub.example", 443, False),
        (".example", "hub.example", 443, True),
        ("*.example", "hub.example", 443, True),
        (".hub.example", "hub.example", 443, False),
        ("hub.example:443", "hub.example", 443, True),
        ("hub.example:80", "hub.example", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.0/8", "hub.example", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3:80", "10.1.2.3", 443, False),
        ("1.2.3", "0.1.2.3", 443, False),
        ("fd00::/8", "fd00::1", 443, True),
        ("::1", "[::1]", 443, True),
        ("[::1]:443", "::1", 443, True),
        ("[::1]:80", "::1", 443, False),
        ("localhost", "127.0.0.1", 443, False),
    ],
)
def test_no_proxy(no_proxy: str, host: str, port: int, direct: bool) -> None:
    """NO_PROXY is matched as Go's clients match it."""
    assert bypasses(no_proxy, host, port) is direct
    assert Egress("proxy", 3128, no_proxy=no_proxy).serves(host, port) is not direct


@given(st.text(), st.text())
def test_no_proxy_never_fails(no_proxy: str, host: str) -> None:
    """Whatever stands in the variable, matching gives an answer."""
    assert bypasses(no_proxy, host, 443) in (True, False)


# What is said to a proxy


class Reader(Protocol):
    """What the tunnel is for: it keeps what it reads."""

    data = b""

    def dataReceived(self, data: bytes) -> None:
        self.data += data


@implementer(IStreamClientEndpoint)
class ToProxy:
    """A connection to a proxy that is played by the test."""

    def __init__(self) -> None:
        self.transport = StringTransport()

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        protocol = protocolFactory.buildProtocol(self.transport.getPeer())
        assert protocol is not None
        self.protocol = protocol
        protocol.makeConnection(self.transport)
        return succeed(protocol)


def answered(*answer: bytes, egress: Egress | None = None) -> tuple[Any, ToProxy]:
    """What connecting comes to when the proxy sends ``answer`` and hangs up."""
    proxy = ToProxy()
    outcome: list[Any] = []
    tunnel = TunnelEndpoint(proxy, egress or Egress("proxy.example", 3128), "hub.example", 443)
    tunnel.connect(Factory.forProtocol(Reader)).addBoth(outcome.append)
    for data in answer:
        proxy.protocol.dataReceived(data)
    if not outcome:
        proxy.protocol.connectionLost(Failure(ConnectionDone()))
    return outcome[0], proxy


def test_asks_with_credentials() -> None:
    """CONNECT names the target, and carries the credentials."""
    _, proxy = answered(egress=Egress("p", 1, Credentials("user", "pass")))
    assert proxy.transport.value() == (
        b"CONNECT hub.example:443 HTTP/1.1\r\nHost: hub.example:443\r\n"
        b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n"
    )


def test_asks_for_ipv6() -> None:
    """An IPv6 address stands in brackets."""
    proxy = ToProxy()
    TunnelEndpoint(proxy, Egress("p", 1), "2001:db8::1", 80).connect(Factory.forProtocol(Reader))
    assert proxy.transport.value().startswith(b"CONNECT [2001:db8::1]:80 HTTP/1.1\r\n")


@given(st.lists(st.integers(1, 60), max_size=5))
def test_leftover_goes_to_the_protocol(cuts: list[int]) -> None:
    """However the bytes arrive, what follows the answer's head belongs to the tunnel."""
    data, pieces = b"HTTP/1.0 200 Connection established\r\nX: y\r\n\r\nthe rest", []
    for cut in cuts:
        pieces.append(data[:cut])
        data = data[cut:]
    outcome, _ = answered(*pieces, data)
    assert outcome.data == b"the rest"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Filtered\r\n\r\n", r"refused to connect \(status 403\)"),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 2\r\n\r\nno", r"\(status 502\)"),
        (b"HTTP/1.1 407 Auth\r\n\r\n", r"wants credentials \(status 407\)"),
        (b"HTTP/2 200 OK\r\n\r\n", "did not answer in HTTP"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "did not answer in HTTP"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "did not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * MAX_ANSWER, "sent too long an answer"),
        (b"x" * (MAX_ANSWER + 1), "sent too long an answer"),
        (b"HTTP/1.1 200 OK\r\n", "closed the connection without an answer"),
    ],
)
def test_refusals(answer: bytes, words: str) -> None:
    """Whatever is not an agreement is a sentence that names the proxy and the target."""
    outcome, _ = answered(answer)
    with pytest.raises(UpstreamFailure, match=words) as refused:
        outcome.raiseException()
    assert "proxy.example:3128" in refused.value.message
    assert "hub.example:443" in refused.value.message


def test_refused_credentials() -> None:
    """407 after credentials were sent says that they are wrong, and does not repeat them."""
    egress = Egress("p", 1, Credentials("user", "s3cret"))
    outcome, _ = answered(b"HTTP/1.1 407 No\r\n\r\n", egress=egress)
    assert "refused the credentials (status 407)" in outcome.value.message
    assert "s3cret" not in outcome.value.message


@given(st.binary(max_size=200))
def test_hostile_answers(answer: bytes) -> None:
    """No answer of a proxy raises; each is a tunnel or an UpstreamFailure."""
    outcome, _ = answered(answer)
    assert isinstance(outcome, Reader) or outcome.check(UpstreamFailure)


# Through a real one


class Tinyproxy:
    """Debian's tinyproxy on a free port of loopback."""

    def __init__(self, folder: Path, *lines: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.log = folder / "tinyproxy.log"
        settings = (
            f"Port {self.port}",
            "Listen 127.0.0.1",
            "Allow 127.0.0.1",
            f'LogFile "{self.log}"',
            "LogLevel Connect",
            *lines,
        )
        (folder / "tinyproxy.conf").write_text("\n".join(settings) + "\n")
        configuration = folder / "tinyproxy.conf"
        self.program = Program(("tinyproxy", "-d", "-c", configuration), folder / "output")
        wait_until(self._accepts, "tinyproxy accepts connections", context=self.program.text)

    def url(self, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.port}"

    def targets(self) -> list[str]:
        """What it has been asked to connect to."""
        return re.findall(r": CONNECT (\S+) HTTP/1", self.log.read_text())

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def tinyproxy(tmp_path: Path) -> Iterator[Tinyproxy]:
    """A proxy that wants no credentials."""
    proxy = Tinyproxy(tmp_path)
    yield proxy
    proxy.program.stop()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Tinyproxy]:
    """A proxy that wants credentials."""
    proxy = Tinyproxy(tmp_path, "BasicAuth user pass")
    yield proxy
    proxy.program.stop()


@pytest_twisted.ensureDeferred
async def test_tls_in_the_tunnel(
    loopback: Loopback, authority: Authority, tinyproxy: Tinyproxy
) -> None:
    """TLS goes through the proxy end to end, and its name is the target's; nothing is looked up."""
    port = loopback.listen(upstream(), authority.issue("server", ("localhost",)))
    egress = Egress.parse(tinyproxy.url())
    agent = loopback.agent("localhost", egress=egress, upstream_ca=authority.certificate)
    assert await get(agent, f"https://localhost:{port}/") == (200, b"hello")
    assert tinyproxy.targets() == [f"localhost:{port}"]
    assert loopback.asked == []


@pytest_twisted.ensureDeferred
async def test_plain_http_in_the_tunnel(loopback: Loopback, tinyproxy: Tinyproxy) -> None:
    """A plain upstream is tunnelled too, and sees an ordinary request."""
    server = upstream()
    port = loopback.listen(server)
    agent = loopback.agent("127.0.0.1", egress=Egress.parse(tinyproxy.url()))
    assert await get(agent, f"http://127.0.0.1:{port}/v2/") == (200, b"hello")
    assert server.received.startswith(b"GET /v2/ HTTP/1.1\r\n")
    assert b"roxy" not in server.received
    assert tinyproxy.targets() == [f"127.0.0.1:{port}"]


@pytest_twisted.ensureDeferred
async def test_credentials_open_it(loopback: Loopback, guarded: Tinyproxy) -> None:
    """The right credentials pass and are not seen by the upstream; wrong ones are told of."""
    server = upstream()
    url = f"http://127.0.0.1:{loopback.listen(server)}/"
    right = loopback.agent("127.0.0.1", egress=Egress.parse(guarded.url("user:pass@")))
    assert (await get(right, url))[0] == 200
    assert b"uthorization" not in server.received
    wrong = loopback.agent("127.0.0.1", egress=Egress.parse(guarded.url("user:s3cret@")))
    with pytest.raises(UpstreamFailure, match=r"the egress proxy 127\.0\.0\.1:\d+ refused") as told:
        await get(wrong, url)
    assert "s3cret" not in told.value.message


@pytest_twisted.ensureDeferred
async def test_certificate_in_the_tunnel(
    loopback: Loopback, authority: Authority, tinyproxy: Tinyproxy
) -> None:
    """A proxy that leads elsewhere is found out by the certificate."""
    port = loopback.listen(upstream(), authority.issue("server", ("other.test",)))
    egress = Egress.parse(tinyproxy.url())
    agent = loopback.agent("localhost", egress=egress, upstream_ca=authority.certificate)
    with pytest.raises(UpstreamFailure, match="localhost is not trusted: it is for another name"):
        await get(agent, f"https://localhost:{port}/")


@pytest_twisted.ensureDeferred
async def test_leaving_ends_the_tunnel(
    loopback: Loopback, authority: Authority, tinyproxy: Tinyproxy
) -> None:
    """A client that goes away ends the transfer behind the proxy too."""
    server = flood()
    port = loopback.listen(server, authority.issue("server"))
    egress = Egress.parse(tinyproxy.url())
    agent = loopback.agent("127.0.0.1", egress=egress, upstream_ca=authority.certificate)
    response = await agent.request(b"GET", f"https://127.0.0.1:{port}/".encode())
    response.deliverBody(LeaveAt(lambda transport: transport.loseConnection()))
    await server.ended.addTimeout(PATIENCE, loopback.reactor)


@pytest_twisted.ensureDeferred
async def test_no_proxy_goes_direct(loopback: Loopback, tinyproxy: Tinyproxy) -> None:
    """A host of NO_PROXY is connected to without the proxy, and is judged by its address."""
    loopback.names["registry.test"] = "127.0.0.1"
    port = loopback.listen(upstream())
    egress = Egress.parse(tinyproxy.url(), no_proxy=".test")
    agent = loopback.agent("registry.test", egress=egress)
    assert (await get(agent, f"http://registry.test:{port}/"))[0] == 200
    assert tinyproxy.targets() == []
    with pytest.raises(UpstreamRefused):
        await get(loopback.agent(egress=egress), f"http://registry.test:{port}/")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "localhost", "[::1]", "169.254.169.254"])
@pytest_twisted.ensureDeferred
async def test_proxy_is_not_asked_for_private_hosts(
    loopback: Loopback, tinyproxy: Tinyproxy, host: str
) -> None:
    """An address that is plainly private is refused before the proxy hears of it."""
    agent = loopback.agent("registry.test", egress=Egress.parse(tinyproxy.url()))
    with pytest.raises(UpstreamRefused):
        await get(agent, f"http://{host}:80/")
    assert tinyproxy.targets() == []


@pytest_twisted.ensureDeferred
async def test_proxy_that_is_not_there(loopback: Loopback) -> None:
    """A proxy that refuses connections is named as what is at fault."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        egress = Egress("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(UpstreamFailure, match=r"the egress proxy 127\.0\.0\.1:\d+ refused the"):
            await get(loopback.agent(egress=egress), "https://hub.example/")
