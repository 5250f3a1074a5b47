"""Certificates that clients show, by real handshakes, and the users that they name."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from OpenSSL.crypto import X509

from hubmirror.certificates.clients import ClientAuthorities, user_of
from hubmirror.certificates.context import server_context
from hubmirror.certificates.files import CertificateError, load_pair
from hubmirror.certificates.peeking import Choose
from hubmirror.certificates.server import ServerTLS
from hubmirror.certificates.sources import CertificateFiles
from tests.certificates.making import NOW, Made, ec_key, make, write_pair

OURS, OTHERS = make("our clients", ca=True), make("others", ca=True)
KEY = ec_key()


def certificate(names: list[str], *alternatives: x509.GeneralName) -> X509:
    """A certificate with these common names and alternatives."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return X509.from_cryptography(builder.sign(KEY, hashes.SHA256()))


ALL = certificate(
    ["alice"],
    x509.DNSName("node.example"),
    x509.RFC822Name("alice@example.org"),
    x509.UniformResourceIdentifier("spiffe://example/alice"),
    x509.DNSName("other.example"),
)


@pytest.mark.parametrize(
    ("what", "user"),
    [
        ("cn", "alice"),
        ("email", "alice@example.org"),
        ("dns", "node.example"),
        ("uri", "spiffe://example/alice"),
    ],
)
def test_whose_it_is(what: str, user: str) -> None:
    assert user_of(what, ALL) == user


def test_whose_it_is_not() -> None:
    """Nobody's without a name, with two, or with one that only a robot has."""
    assert user_of("cn", certificate([])) is None
    assert user_of("cn", certificate(["alice", "bob"])) is None
    assert user_of("cn", certificate(["robot$ci"])) is None
    assert user_of("cn", certificate(["alice\nbob"])) is None
    assert user_of("dns", certificate(["alice"])) is None
    assert user_of("email", certificate(["alice"], x509.DNSName("a"))) is None


@given(st.text(min_size=1, max_size=60))
def test_a_user_can_be_written_on_a_line(name: str) -> None:
    """Whatever a CA has signed."""
    try:
        shown = certificate([name])
    except ValueError:
        return
    user = user_of("cn", shown)
    assert user is None or (user == name and user.isprintable())


def shake_hands(
    server: ServerTLS, shown: Made | None, folder: Path, choose: Choose | None = None
) -> Any:
    """The certificate that the server sees; raises ``SSL.Error`` as the server does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if shown is not None:
        path = folder / "shown.pem"
        key = shown.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(shown.pem + key)
        context.load_cert_chain(path)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing)
        connection = server.secure(ours, choose)
        theirs.setblocking(False)
        for _ in range(6):
            with suppress(ssl.SSLWantReadError):
                client.do_handshake()
            if outgoing.pending:
                theirs.sendall(outgoing.read())
            with suppress(SSL.WantReadError):
                connection.do_handshake()
            with suppress(BlockingIOError):
                incoming.write(theirs.recv(65536))
        return connection.get_peer_certificate()


def serving(folder: Path, *, is_required: bool) -> ServerTLS:
    (folder / "ca.pem").write_bytes(OURS.pem)
    clients = ClientAuthorities(folder / "ca.pem", is_required)
    return ServerTLS(CertificateFiles(*write_pair(folder, make())), clients)


def test_who_may_show_one(tmp_path: Path) -> None:
    """One of ours, or none; others end the handshake."""
    server = serving(tmp_path, is_required=False)
    assert user_of("cn", shake_hands(server, make("alice", issuer=OURS), tmp_path)) == "alice"
    assert shake_hands(server, None, tmp_path) is None
    with pytest.raises(SSL.Error):
        shake_hands(server, make("alice", issuer=OTHERS), tmp_path)
    with pytest.raises(SSL.Error):
        shake_hands(server, make("alice", issuer=OURS, ends=NOW - timedelta(days=1)), tmp_path)


def test_who_must_show_one(tmp_path: Path) -> None:
    server = serving(tmp_path, is_required=True)
    assert shake_hands(server, make("alice", issuer=OURS), tmp_path) is not None
    with pytest.raises(SSL.Error):
        shake_hands(server, None, tmp_path)


def test_another_ca_holds_as_soon_as_it_is_there(tmp_path: Path) -> None:
    """One that can't be read changes nothing."""
    server = serving(tmp_path, is_required=False)
    (tmp_path / "ca.pem").write_bytes(OTHERS.pem)
    assert server.reload_if_changed()
    assert shake_hands(server, make("bob", issuer=OTHERS), tmp_path) is not None
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(CertificateError, match="no certificates"):
        server.reload_if_changed()
    assert shake_hands(server, make("bob", issuer=OTHERS), tmp_path) is not None
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(CertificateError, match="can't be read"):
        server.reload_if_changed()


def test_nobody_is_asked_any_more(tmp_path: Path) -> None:
    """Once the configuration names no CA."""
    server = serving(tmp_path, is_required=True)
    assert server.reload(CertificateFiles(*write_pair(tmp_path, make())), None)
    assert shake_hands(server, None, tmp_path) is None


def test_who_looks_at_a_proof_need_not_show_one(tmp_path: Path) -> None:
    """An ACME server has none; all others, who get no other context, must."""
    server = serving(tmp_path, is_required=True)
    proof = server_context(load_pair(*write_pair(tmp_path, make())))
    assert shake_hands(server, None, tmp_path, lambda _hello: proof) is None
    with pytest.raises(SSL.Error):
        shake_hands(server, None, tmp_path, lambda _hello: None)
