"""Tests of hubmirror.upstream.sessions, by themselves and through the agent."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from OpenSSL import SSL
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import TLSVersion
from twisted.internet.task import Clock

from hubmirror.errors import UpstreamFailure
from hubmirror.upstream.sessions import EACH, LIFE, PLACES, Place, Sessions, TakenUp
from hubmirror.upstream.tls import TLSEndpoint, client_context
from tests.certificates.making import NOW, make
from tests.support.certificates import Authority
from tests.upstream.servers import RESUMABLE, Loopback, get, is_resumed, upstream

BOTH_VERSIONS = pytest.mark.parametrize(
    "newest", [TLSVersion.TLSv1_2, TLSVersion.TLSv1_3], ids=["1.2", "1.3"]
)
HERE = ("hub.test", 443)


def connected(ends: timedelta = timedelta(days=9)) -> SSL.Connection:
    """The client's end of TLS 1.2 in memory; the server's certificate ends then."""
    made = make("hub.test", begins=NOW - timedelta(days=99), ends=NOW + ends)
    serving = SSL.Context(SSL.TLS_SERVER_METHOD)
    serving.use_certificate(made.certificate)
    serving.use_privatekey(made.key)
    serving.set_max_proto_version(SSL.TLS1_2_VERSION)
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    server = SSL.Connection(serving, None)
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(3):
        shake(client, server)
        shake(server, client)
    client.do_handshake()
    return client


def shake(end: SSL.Connection, other: SSL.Connection) -> None:
    """One turn of a handshake."""
    with suppress(SSL.WantReadError):
        end.do_handshake()
    with suppress(SSL.WantReadError):
        other.bio_write(end.bio_read(1 << 16))


def serial_of(connection: SSL.Connection) -> int:
    """The serial number of the peer's certificate."""
    certificate = connection.get_peer_certificate()
    assert certificate is not None
    return certificate.get_serial_number()


def serial(sessions: Sessions) -> int | None:
    """That of the certificate of the session that is taken."""
    taken = sessions.take(HERE)
    return None if taken is None else taken.certificate.get_serial_number()


def count(sessions: Sessions, place: Place = HERE) -> int:
    """How many there are; they are gone then."""
    return sum(sessions.take(place) is not None for _ in range(2 * EACH))


def test_taken_once() -> None:
    """What one connection takes up is not there for the next."""
    sessions = Sessions(Clock().seconds)
    assert sessions.take(HERE) is None
    sessions.keep(HERE, connected(), None)
    assert sessions.take(HERE) is not None
    assert sessions.take(HERE) is None


def test_the_newest_first() -> None:
    """It is what the server is likeliest to know."""
    sessions, older, newer = Sessions(Clock().seconds), connected(), connected()
    sessions.keep(HERE, older, None)
    sessions.keep(HERE, newer, None)
    assert [serial(sessions) for _ in range(3)] == [serial_of(newer), serial_of(older), None]


def test_no_handshake_no_session() -> None:
    """A connection that has not got as far has nothing to keep."""
    sessions = Sessions(Clock().seconds)
    sessions.keep(HERE, SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None), None)
    assert sessions.take(HERE) is None


@pytest.mark.parametrize("other", [("hub.test", 444), ("hub.tes", 443), ("Hub.test", 443)])
def test_by_place(other: Place) -> None:
    """Host and port are those that it was made with, both."""
    sessions = Sessions(Clock().seconds)
    sessions.keep(HERE, connected(), None)
    assert sessions.take(other) is None


def test_memory_has_a_bound() -> None:
    """A few of each place; of the places, those that were spoken to last."""
    sessions, connection = Sessions(Clock().seconds), connected()
    for _ in range(EACH + 2):
        sessions.keep(HERE, connection, None)
    others = [("hub.test", port) for port in range(PLACES)]
    for place in others[:-1]:
        sessions.keep(place, connection, None)
    sessions.keep(HERE, connection, None)
    sessions.keep(others[-1], connection, None)
    assert count(sessions) == EACH
    assert [count(sessions, place) for place in others] == [0] + [1] * (PLACES - 1)


def test_life_has_an_end() -> None:
    """It lasts an hour after the certificate was verified, also from session to session."""
    clock, connection = Clock(), connected()
    sessions = Sessions(clock.seconds)
    sessions.keep(HERE, connection, None)
    clock.advance(LIFE - 1)
    former = sessions.take(HERE)
    assert former is not None
    sessions.keep(HERE, connection, former)
    sessions.keep(HERE, connection, former)
    assert sessions.take(HERE) is not None
    clock.advance(1)
    assert sessions.take(HERE) is None


@pytest.mark.parametrize(("ends", "left"), [(timedelta(days=-1), 0), (timedelta(days=1), 1)])
def test_ends_with_the_certificate(ends: timedelta, left: int) -> None:
    """A certificate that has expired is good for no session."""
    sessions = Sessions(Clock().seconds)
    sessions.keep(HERE, connected(ends), None)
    assert count(sessions) == left


def test_an_expired_one_hides_no_other() -> None:
    """What is over is passed by: an older session may have a certificate that lasts longer."""
    sessions, lasting = Sessions(Clock().seconds), connected()
    sessions.keep(HERE, lasting, None)
    sessions.keep(HERE, connected(timedelta(days=-1)), None)
    assert serial(sessions) == serial_of(lasting)


async def resumptions(
    loopback: Loopback, server: Any, port: int, ca: Path, count: int
) -> list[bool]:
    """What ``server`` saw of so many requests, each on a connection of its own."""
    agent = loopback.agent("127.0.0.1", upstream_ca=ca)
    for _ in range(count):
        assert await get(agent, f"https://127.0.0.1:{port}/") == (200, b"hello")
    seen: list[bool] = server.resumed
    return seen


@BOTH_VERSIONS
@pytest_twisted.ensureDeferred
async def test_sessions_are_taken_up(
    loopback: Loopback, authority: Authority, newest: TLSVersion
) -> None:
    """Only the first connection to a host needs a whole handshake."""
    server = upstream(is_last=True)
    certificate = authority.issue("server")
    port = loopback.listen(server, certificate, lowerMaximumSecurityTo=newest, **RESUMABLE)
    seen = await resumptions(loopback, server, port, authority.certificate, 4)
    assert seen == [False, True, True, True]


@pytest_twisted.ensureDeferred
async def test_a_server_without_tickets(loopback: Loopback, authority: Authority) -> None:
    """In TLS 1.2 one that remembers its sessions itself is understood as well."""
    server = upstream(is_last=True)
    options = {"enableSessions": True, "lowerMaximumSecurityTo": TLSVersion.TLSv1_2}
    port = loopback.listen(server, authority.issue("server"), **options)
    seen = await resumptions(loopback, server, port, authority.certificate, 3)
    assert seen == [False, True, True]


@BOTH_VERSIONS
@pytest_twisted.ensureDeferred
async def test_two_at_once(loopback: Loopback, authority: Authority, newest: TLSVersion) -> None:
    """A session is for one connection: the other has a whole handshake."""
    server = upstream(is_last=True)
    certificate = authority.issue("server")
    port = loopback.listen(server, certificate, lowerMaximumSecurityTo=newest, **RESUMABLE)
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    url = f"https://127.0.0.1:{port}/"
    await get(agent, url)
    await gatherResults([Deferred.fromCoroutine(get(agent, url)) for _ in range(2)])
    assert sorted(server.resumed) == [False, False, True]


@BOTH_VERSIONS
@pytest_twisted.ensureDeferred
async def test_a_server_that_takes_none(
    loopback: Loopback, authority: Authority, newest: TLSVersion
) -> None:
    """One without tickets is spoken to with a whole handshake each time."""
    server = upstream(is_last=True)
    port = loopback.listen(server, authority.issue("server"), lowerMaximumSecurityTo=newest)
    seen = await resumptions(loopback, server, port, authority.certificate, 3)
    assert seen == [False] * 3


@BOTH_VERSIONS
@pytest_twisted.ensureDeferred
async def test_a_server_that_has_forgotten(
    loopback: Loopback, authority: Authority, newest: TLSVersion
) -> None:
    """A ticket that the server can't read any more leads to a whole handshake, and to new ones."""
    server = upstream(is_last=True)
    certificate = authority.issue("server")
    options: dict[str, Any] = {"lowerMaximumSecurityTo": newest, **RESUMABLE}
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    port = loopback.listen(server, certificate, **options)
    await get(agent, f"https://127.0.0.1:{port}/")
    await loopback.close_ports()
    assert loopback.listen(server, certificate, port=port, **options) == port
    for _ in range(2):
        assert await get(agent, f"https://127.0.0.1:{port}/") == (200, b"hello")
    assert server.resumed == [False, False, True]


@BOTH_VERSIONS
@pytest_twisted.ensureDeferred
async def test_a_server_that_has_become_another(
    loopback: Loopback, authority: Authority, tmp_path: Path, newest: TLSVersion
) -> None:
    """What does not take the session up is verified anew: a stranger gets nothing."""
    server, stranger = upstream(is_last=True), upstream()
    options: dict[str, Any] = {"lowerMaximumSecurityTo": newest, **RESUMABLE}
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    port = loopback.listen(server, authority.issue("server"), **options)
    await get(agent, f"https://127.0.0.1:{port}/")
    await loopback.close_ports()
    (tmp_path / "other").mkdir()
    foreign = Authority(tmp_path / "other").issue("server")
    loopback.listen(stranger, foreign, port=port, **options)
    with pytest.raises(UpstreamFailure, match="is not trusted"):
        await get(agent, f"https://127.0.0.1:{port}/")
    assert stranger.received == b""


@BOTH_VERSIONS
@pytest_twisted.ensureDeferred
async def test_never_for_another_name(
    loopback: Loopback, authority: Authority, newest: TLSVersion
) -> None:
    """A session with one host is not shown to the same server under another name."""
    server = upstream(is_last=True)
    certificate = authority.issue("server", ("a.test", "b.test"))
    port = loopback.listen(server, certificate, lowerMaximumSecurityTo=newest, **RESUMABLE)
    loopback.names.update({"a.test": "127.0.0.1", "b.test": "127.0.0.1"})
    agent = loopback.agent("a.test", "b.test", upstream_ca=authority.certificate)
    for host in ("a.test", "b.test", "a.test", "b.test"):
        assert await get(agent, f"https://{host}:{port}/") == (200, b"hello")
    assert server.resumed == [False, False, True, True]


@BOTH_VERSIONS
@pytest_twisted.ensureDeferred
async def test_never_for_another_port(
    loopback: Loopback, authority: Authority, newest: TLSVersion
) -> None:
    """Nor is it where another server, which could read it, listens on the same host."""
    server, certificate = upstream(is_last=True), authority.issue("server")
    tls = loopback.in_tls(server, certificate, lowerMaximumSecurityTo=newest, **RESUMABLE)
    ports = loopback.listen(tls), loopback.listen(tls)
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    for port in ports * 2:
        assert await get(agent, f"https://127.0.0.1:{port}/") == (200, b"hello")
    assert server.resumed == [False, False, True, True]


@pytest_twisted.ensureDeferred
async def test_never_under_other_authorities(loopback: Loopback, authority: Authority) -> None:
    """Another agent, as after a reload, verifies by its own authorities."""
    server = upstream(is_last=True)
    port = loopback.listen(server, authority.issue("server"), **RESUMABLE)
    await resumptions(loopback, server, port, authority.certificate, 1)
    with pytest.raises(UpstreamFailure, match="no authority that is trusted"):
        await get(loopback.agent("127.0.0.1"), f"https://127.0.0.1:{port}/")
    await resumptions(loopback, server, port, authority.certificate, 1)
    assert server.resumed == [False, False]


@pytest.mark.parametrize(
    ("failures", "attempts"), [(1, 2), (2, 2)], ids=["on the session", "on everything"]
)
@pytest_twisted.ensureDeferred
async def test_a_server_that_chokes_on_it(
    loopback: Loopback, authority: Authority, failures: int, attempts: int
) -> None:
    """Where taking a session up fails there is one more attempt, at once and without one."""
    server = upstream(is_last=True)
    certificate = authority.issue("server")
    port = loopback.listen(server, certificate, **RESUMABLE)
    agent = loopback.agent("127.0.0.1", upstream_ca=authority.certificate)
    await get(agent, f"https://127.0.0.1:{port}/")
    await loopback.close_ports()
    choking = Choking(loopback.in_tls(server, certificate), failures)
    loopback.listen(choking, port=port)
    if failures < attempts:
        assert await get(agent, f"https://127.0.0.1:{port}/") == (200, b"hello")
    else:
        with pytest.raises(UpstreamFailure, match="does not speak TLS"):
            await get(agent, f"https://127.0.0.1:{port}/")
    assert choking.connections == attempts
    assert server.resumed == [False] * (1 + attempts - failures)


@pytest_twisted.ensureDeferred
async def test_no_session_no_second_attempt(loopback: Loopback, authority: Authority) -> None:
    """A first connection that fails would fail again."""
    choking = Choking(loopback.in_tls(upstream(), authority.issue("server")), 1)
    port = loopback.listen(choking)
    with pytest.raises(UpstreamFailure, match="does not speak TLS"):
        await get(loopback.agent("127.0.0.1"), f"https://127.0.0.1:{port}/")
    assert choking.connections == 1


@BOTH_VERSIONS
@pytest_twisted.ensureDeferred
async def test_an_hour_of_connections(
    loopback: Loopback, authority: Authority, newest: TLSVersion
) -> None:
    """However often it is taken up: an hour after the certificate it is verified anew."""
    certificate, clock = authority.issue("server"), Clock()
    server = upstream()
    port = loopback.listen(server, certificate, lowerMaximumSecurityTo=newest, **RESUMABLE)
    way = Way(loopback, port, client_context(authority.certificate), Sessions(clock.seconds))
    for pause in (0, LIFE - 2, 1, 1, 1):
        clock.advance(pause)
        await way.speak("127.0.0.1")
    assert server.resumed == [False, True, True, False, True]


@BOTH_VERSIONS
@pytest_twisted.ensureDeferred
async def test_the_name_is_checked_anew(
    loopback: Loopback, authority: Authority, newest: TLSVersion
) -> None:
    """OpenSSL verifies nothing where a session is taken up; whose it is we look at each time."""
    server, certificate = upstream(), authority.issue("server", ("a.test",))
    port = loopback.listen(server, certificate, lowerMaximumSecurityTo=newest, **RESUMABLE)
    sessions = Confused(Clock().seconds)
    way = Way(loopback, port, client_context(authority.certificate), sessions)
    await way.speak("a.test")
    with pytest.raises(UpstreamFailure, match="it is for another name"):
        await way.speak("b.test")
    assert way.resumed == [False, True, False]
    assert server.received == QUESTION
    assert Sessions.take(sessions, ("b.test", port)) is None


QUESTION = b"GET / HTTP/1.1\r\n\r\n"


@define
class Way:
    """The way to a port, with sessions of the test's own.

    ``resumed`` tells of each connection whether it took one up, as the client sees it.
    """

    loopback: Loopback
    port: int
    context: SSL.Context
    sessions: Sessions
    resumed: list[bool] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.context.set_info_callback(self._shaken)

    async def speak(self, host: str) -> None:
        """Connect to ``host``, ask, hear the answer, and leave."""
        endpoint = TCP4ClientEndpoint(self.loopback.reactor, "127.0.0.1", self.port)
        tls = self.context, self.sessions
        way = TLSEndpoint(self.loopback.reactor, endpoint, *tls, host, self.port)
        asking: Any = await way.connect(Factory.forProtocol(Asking))
        await asking.answered

    def _shaken(self, connection: SSL.Connection, where: int, _: int) -> None:
        if where & SSL.SSL_CB_HANDSHAKE_DONE:
            self.resumed.append(is_resumed(connection))


class Asking(Protocol):
    """Asks, and leaves when the answer comes."""

    transport: Any

    def connectionMade(self) -> None:
        self.answered: Deferred[None] = Deferred()
        self.transport.write(QUESTION)

    def dataReceived(self, data: bytes) -> None:
        self.transport.loseConnection()
        self.answered.callback(None)


class Confused(Sessions):
    """Shows those of ``a.test`` to all hosts."""

    def take(self, place: Place) -> TakenUp | None:
        return super().take(("a.test", place[1]))


class Choking(Factory):
    """A server whose first connections, so many, end in an alert; then it is ``server``."""

    def __init__(self, server: Any, failures: int) -> None:
        self.connections = 0
        self._server = server
        self._failures = failures

    def buildProtocol(self, address: Any) -> Any:
        self.connections += 1
        is_over = self.connections > self._failures
        return self._server.buildProtocol(address) if is_over else Alert()


class Alert(Protocol):
    """Answers a ClientHello with handshake_failure (RFC 8446, section 6)."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(b"\x15\x03\x03\x00\x02\x02\x28")
        self.transport.loseConnection()
