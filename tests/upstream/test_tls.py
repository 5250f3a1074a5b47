"""Tests of hubmirror.upstream.tls."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import pytest_twisted
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Factory, Protocol

from hubmirror.errors import UpstreamFailure
from hubmirror.upstream.sessions import Sessions
from hubmirror.upstream.tls import TLSEndpoint, client_context
from tests.certificates.making import NOW, Made, key_pem, make
from tests.support.certificates import Authority
from tests.upstream.servers import Loopback, Upstream, upstream


async def connect(loopback: Loopback, port: int, host: str, ca: Path | None = None) -> IProtocol:
    endpoint = TCP4ClientEndpoint(loopback.reactor, "127.0.0.1", port)
    sessions = Sessions(loopback.reactor.seconds)
    tls = TLSEndpoint(loopback.reactor, endpoint, client_context(ca), sessions, host, port)
    return await tls.connect(Factory.forProtocol(Protocol))


def write(folder: Path, made: Made) -> Path:
    certificate = folder / "made.crt"
    certificate.write_bytes(made.pem)
    certificate.with_suffix(".key").write_bytes(key_pem(made.key))
    return certificate


@pytest_twisted.ensureDeferred
async def test_connects(loopback: Loopback, authority: Authority) -> None:
    """TLS stands when the endpoint has connected, in 1.3 and with the right certificate."""
    port = loopback.listen(upstream(), authority.issue("server", ("registry.test",)))
    protocol = await connect(loopback, port, "registry.test", authority.certificate)
    transport = protocol.transport  # type: ignore[attr-defined]
    assert transport.getHandle().get_protocol_version_name() == "TLSv1.3"
    assert transport.getPeerCertificate() is not None
    transport.loseConnection()


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("registry.test", b"registry.test"),
        ("registry.test.", b"registry.test"),
        ("127.0.0.1", None),
    ],
)
@pytest_twisted.ensureDeferred
async def test_says_whom_it_wants(
    loopback: Loopback, authority: Authority, host: str, name: bytes | None
) -> None:
    """A server of many names is told which; an address is no name (RFC 6066, section 3)."""
    server = upstream()
    server.protocol, server.named = Named, Deferred()
    port = loopback.listen(server, authority.issue("server", ("registry.test", "127.0.0.1")))
    protocol = await connect(loopback, port, host, authority.certificate)
    assert await server.named == name
    protocol.transport.loseConnection()  # type: ignore[attr-defined]


@pytest_twisted.ensureDeferred
async def test_unknown_authority(loopback: Loopback, authority: Authority) -> None:
    """A certificate of a private CA is not trusted unless the CA is given."""
    port = loopback.listen(upstream(), authority.issue("server", ("registry.test",)))
    with pytest.raises(UpstreamFailure, match=r"registry\.test is not trusted: no authority"):
        await connect(loopback, port, "registry.test")


@pytest_twisted.ensureDeferred
async def test_self_signed(loopback: Loopback, tmp_path: Path) -> None:
    """A certificate that signs itself is named as what it is."""
    port = loopback.listen(upstream(), write(tmp_path, make("registry.test")))
    with pytest.raises(UpstreamFailure, match="it is self-signed"):
        await connect(loopback, port, "registry.test")


@pytest.mark.parametrize(
    ("begins", "ends", "words"), [(-9, -1, "it has expired"), (1, 9, "it is not valid yet")]
)
@pytest_twisted.ensureDeferred
async def test_out_of_time(
    loopback: Loopback, tmp_path: Path, begins: int, ends: int, words: str
) -> None:
    """A certificate that has expired, or is of the future, is not trusted."""
    ca = make("ca", ca=True)
    (tmp_path / "ca.crt").write_bytes(ca.pem)
    days = NOW + timedelta(days=begins), NOW + timedelta(days=ends)
    leaf = make("registry.test", issuer=ca, begins=days[0], ends=days[1])
    port = loopback.listen(upstream(), write(tmp_path, leaf))
    with pytest.raises(UpstreamFailure, match=words):
        await connect(loopback, port, "registry.test", tmp_path / "ca.crt")


@pytest.mark.parametrize("host", ["other.test", "127.0.0.2"])
@pytest_twisted.ensureDeferred
async def test_another_name(loopback: Loopback, authority: Authority, host: str) -> None:
    """A good certificate of somebody else is not trusted."""
    port = loopback.listen(upstream(), authority.issue("server"))
    with pytest.raises(UpstreamFailure, match="it is for another name"):
        await connect(loopback, port, host, authority.certificate)


@pytest_twisted.ensureDeferred
async def test_odd_name(loopback: Loopback, authority: Authority) -> None:
    """A host name that no certificate can be for is refused, not logged as a crash."""
    port = loopback.listen(upstream(), authority.issue("server"))
    with pytest.raises(UpstreamFailure, match="it cannot be read"):
        await connect(loopback, port, "a$b", authority.certificate)


@pytest_twisted.ensureDeferred
async def test_no_tls_there(loopback: Loopback) -> None:
    """A server that speaks plain HTTP is an error in words."""
    server = upstream()
    server.protocol = Rude
    port = loopback.listen(server)
    with pytest.raises(UpstreamFailure, match=r"registry\.test does not speak TLS as it should"):
        await connect(loopback, port, "registry.test")


@pytest_twisted.ensureDeferred
async def test_hangs_up(loopback: Loopback) -> None:
    """A connection cut during the handshake stays an error that another attempt may mend."""
    server = upstream()
    server.protocol = Gone
    port = loopback.listen(server)
    with pytest.raises(ConnectionClosed):
        await connect(loopback, port, "registry.test")


@pytest_twisted.ensureDeferred
async def test_intermediate_as_trust(loopback: Loopback, tmp_path: Path) -> None:
    """A bundle that holds an intermediate authority only is enough."""
    intermediate = make("intermediate", issuer=make("root", ca=True), ca=True)
    (tmp_path / "ca.crt").write_bytes(intermediate.pem)
    leaf = make("registry.test", issuer=intermediate)
    port = loopback.listen(upstream(), write(tmp_path, leaf))
    protocol = await connect(loopback, port, "registry.test", tmp_path / "ca.crt")
    protocol.transport.loseConnection()  # type: ignore[attr-defined]


def test_no_old_tls() -> None:
    """TLS 1.0 and 1.1 are not offered."""
    options = client_context(None).set_options(0)
    assert options & SSL.OP_NO_TLSv1
    assert options & SSL.OP_NO_TLSv1_1
    assert not options & SSL.OP_NO_TLSv1_2


class Named(Upstream):
    """Tells by which name it was called."""

    def handshakeCompleted(self) -> None:
        self.factory.named.callback(self.transport.getHandle().get_servername())


class Rude(Protocol):
    """Answers a ClientHello as an HTTP server does."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class Gone(Protocol):
    """Hangs up at the first bytes."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.loseConnection()
