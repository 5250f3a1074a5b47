"""How an ACME server proves a name by TLS alone, on the port where clients are served, too."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509

from hubmirror.certificates.acme_proofs import ACME_TLS, Proofs
from hubmirror.certificates.server import ServerTLS
from hubmirror.certificates.sources import CertificateFiles
from tests.certificates.making import make, write_pair
from tests.transport.serving import Echo, Serving

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
NAMES = ("a.example",)


def context(version: ssl.TLSVersion, *protocols: str) -> ssl.SSLContext:
    """A client's, of this version at the most, which believes anything."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.maximum_version = version
    if protocols:
        made.set_alpn_protocols(protocols)
    return made


def look(port: int, version: ssl.TLSVersion, said: bytes) -> tuple[str, str | None, bytes]:
    """As the server does: which certificate it is shown, by which protocol, and what follows.

    It says nothing; who says something all the same is not heard.
    """
    with (
        socket.create_connection(("127.0.0.1", port), 20) as plain,
        context(version, ACME_TLS.decode()).wrap_socket(plain, server_hostname="A.example") as tls,
    ):
        shown = tls.getpeercert(binary_form=True)
        assert shown is not None
        if said:
            tls.sendall(said)
        found = x509.load_der_x509_certificate(shown)
        is_proof = len(found.subject.rdns) == 0
        return (
            ("proof" if is_proof else "usual"),
            tls.selected_alpn_protocol(),
            _read(tls) if said else b"",
        )


def _read(tls: ssl.SSLSocket) -> bytes:
    try:
        return tls.recv(100)
    except OSError:  # hung up on
        return b""


def speak(port: int, version: ssl.TLSVersion) -> bytes:
    """As a client does, who is answered."""
    with (
        socket.create_connection(("127.0.0.1", port), 20) as plain,
        context(version, "http/1.1").wrap_socket(plain, server_hostname="a.example") as tls,
    ):
        tls.sendall(b"hello")
        return tls.recv(100)


class Listening:
    """A port whose certificate depends on what is said first, where there are proofs."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        self.proofs = Proofs(folder / "proofs")
        self._tls = ServerTLS(CertificateFiles(*write_pair(folder, make("usual.example"))))
        self.serving = Serving(reactor, self._secure)
        self.ends: list[Echo] = []

    def _secure(self, connected: socket.socket) -> Any:
        if not self.proofs.are_under_way():
            return self._tls.secure(connected)
        return self._tls.secure(connected, lambda hello: self.proofs.context_for(hello, NAMES))

    def build(self) -> Echo:
        """A protocol that must hear nothing of who only looks."""
        self.ends.append(Echo())
        return self.ends[-1]


@pytest.mark.parametrize("version", VERSIONS)
@pytest_twisted.ensureDeferred
async def test_a_server_looks_while_clients_are_served(
    reactor: Any, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """It is shown the proof, told nothing, and hung up on; clients notice none of it."""
    listening = Listening(reactor, tmp_path)
    serving = listening.serving
    port = serving.listen(listening.build)
    try:
        assert await serving.run(speak, port, version) == b"hello"
        with listening.proofs.under_way("a.example", "token.thumbprint"):
            for _ in range(3):
                assert await serving.run(look, port, version, b"GET") == (
                    "proof",
                    "acme-tls/1",
                    b"",
                )
                assert await serving.run(speak, port, version) == b"hello"
        assert await serving.run(look, port, version, b"") == ("usual", None, b"")
        await serving.until(lambda: all(end.lost.called for end in listening.ends))
    finally:
        await serving.close()
    heard = [bytes(end.received) for end in listening.ends]
    assert heard == [b"hello", b"", b"hello", b"", b"hello", b"", b"hello", b""]
