"""The listener's TLS settings, seen by real clients over loopback."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from OpenSSL import SSL
from pytest_twisted import ensureDeferred

from hubmirror.certificates.context import server_context
from hubmirror.certificates.files import CertificateError, PrivateKey, load_pair
from hubmirror.certificates.server import ServerTLS
from hubmirror.certificates.sources import CertificateFiles
from tests.certificates.handshakes import PATIENCE, Loopback, connect, greet, trusting
from tests.certificates.making import ec_key, make, rsa_key, write_pair

both_versions = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"]
)


@pytest.fixture
def tls(tmp_path: Path) -> ServerTLS:
    return ServerTLS(CertificateFiles(*write_pair(tmp_path, make())))


@both_versions
@pytest.mark.parametrize("new_key", [ec_key, rsa_key])
@ensureDeferred
async def test_versions_and_keys(
    tmp_path: Path,
    loopback: Loopback,
    version: ssl.TLSVersion,
    new_key: Callable[[], PrivateKey],
) -> None:
    """TLS 1.2 and 1.3 work with RSA and EC keys, with forward secrecy and AEAD."""
    made = make(key=new_key())
    port = loopback.listen(ServerTLS(CertificateFiles(*write_pair(tmp_path, made))))
    seen = await loopback.run(greet, port, trusting(made.pem, version=version))
    assert seen.version == version.name.replace("_", ".")
    assert seen.cipher.startswith(("ECDHE-", "TLS_"))
    assert "GCM" in seen.cipher or "CHACHA20" in seen.cipher
    assert seen.compression is None


@ensureDeferred
async def test_chain_is_sent(tmp_path: Path, loopback: Loopback) -> None:
    """A client that knows only the root verifies: the CA in between is sent along."""
    root = make("root", ca=True)
    middle = make("middle", key=rsa_key(), issuer=root, ca=True)
    leaf = make(issuer=middle)
    port = loopback.listen(ServerTLS(CertificateFiles(*write_pair(tmp_path, leaf, middle))))
    seen = await loopback.run(greet, port, trusting(root.pem))
    assert seen.certificate == ssl.PEM_cert_to_DER_cert(leaf.pem.decode())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@ensureDeferred
async def test_old_versions_are_refused(tls: ServerTLS, loopback: Loopback) -> None:
    """TLS 1.1 is answered by the alert that names the cause."""
    port = loopback.listen(tls)
    context = trusting(version=ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        await loopback.run(connect, port, context)


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256"])
@ensureDeferred
async def test_old_ciphers_are_refused(tmp_path: Path, loopback: Loopback, cipher: str) -> None:
    """Neither a key exchange without forward secrecy nor CBC is agreed to."""
    made = make(key=rsa_key())
    port = loopback.listen(ServerTLS(CertificateFiles(*write_pair(tmp_path, made))))
    context = trusting(version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(cipher)
    with pytest.raises(ssl.SSLError, match="ALERT_HANDSHAKE_FAILURE"):
        await loopback.run(connect, port, context)


@both_versions
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(("h2", "http/1.1"), "http/1.1"), (("http/1.1",), "http/1.1"), (("h2",), None), ((), None)],
)
@ensureDeferred
async def test_alpn(
    tls: ServerTLS,
    loopback: Loopback,
    version: ssl.TLSVersion,
    offered: tuple[str, ...],
    chosen: str | None,
) -> None:
    """HTTP/1.1 is chosen where it is offered; a client that offers others is not sent away."""
    port = loopback.listen(tls)
    seen = await loopback.run(greet, port, trusting(version=version, alpn=offered))
    assert seen.alpn == chosen


@both_versions
@pytest.mark.parametrize("tickets", [True, False])
@ensureDeferred
async def test_sessions_are_resumed(
    tls: ServerTLS, loopback: Loopback, version: ssl.TLSVersion, tickets: bool
) -> None:
    """A second connection resumes the first one's session, by a ticket or by its id."""
    port = loopback.listen(tls)
    context = trusting(version=version)
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
    first = await loopback.run(greet, port, context)
    second = await loopback.run(greet, port, context, "localhost", first.session)
    assert (first.reused, second.reused) == (False, True)


def renegotiate(port: int) -> str:
    """Ask for another handshake on TLS 1.2; the reason why there is none."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    with socket.create_connection(("127.0.0.1", port)) as plain:
        # A time-out would make the socket non-blocking, which pyOpenSSL doesn't hide.
        plain.settimeout(None)
        connection = SSL.Connection(context, plain)
        connection.set_connect_state()
        connection.do_handshake()
        assert connection.renegotiate()
        try:
            connection.do_handshake()
        except SSL.Error as error:
            return str(error)
        return "renegotiated"


@ensureDeferred
async def test_renegotiation_is_refused(tls: ServerTLS, loopback: Loopback) -> None:
    """A client of TLS 1.2 that asks for another handshake is told no."""
    port = loopback.listen(tls)
    answer = loopback.run(renegotiate, port).addTimeout(PATIENCE, loopback.reactor)
    assert "no renegotiation" in await answer


def test_what_openssl_refuses(tmp_path: Path) -> None:
    """A pair that only OpenSSL finds fault with is an error that names the file."""
    pair = load_pair(*write_pair(tmp_path, make()))
    other = load_pair(*write_pair(tmp_path, make()))
    mixed = type(pair)(pair.chain, other.private_key, pair.certificate_file, pair.key_file)
    with pytest.raises(CertificateError, match=f"{pair.certificate_file}: .*mismatch"):
        server_context(mixed)
