"""Certificates that prove to an ACME server that a name is ours (RFC 8737, TLS-ALPN-01)."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL

from hubmirror.certificates.client_hello import ClientHello
from hubmirror.certificates.context import server_context
from hubmirror.certificates.files import CertificateError, load_pair
from hubmirror.certificates.issuing import new_key
from hubmirror.certificates.private_files import make_private_folder, write_file

__all__ = ["ACME_TLS", "Proofs", "proof_for"]

#: The protocol by which the server asks, and with which nothing is said (section 6.2).
ACME_TLS: Final = b"acme-tls/1"
#: ``acmeIdentifier``, and what an OCTET STRING of 32 bytes begins with in DER.
_IDENTIFIER: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTETS: Final = b"\x04\x20"
_LIFE: Final = timedelta(days=1)


class Proofs:
    """In ``folder``, which exists only while a server looks: so other processes see them, too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def under_way(self, name: str, authorization: str) -> Iterator[None]:
        """Have ``name`` proved by ``authorization``, for as long as the context lasts.

        Raises ``CertificateError`` where it can't be written.
        """
        key = new_key()
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        proof = proof_for(name, authorization, key, datetime.now(timezone.utc))
        make_private_folder(self._folder)
        path = self._path(name)
        write_file(path, proof.public_bytes(Encoding.PEM) + secret, 0o600)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # others are under way
                self._folder.rmdir()

    def clear(self) -> None:
        """Remove what a crash has left."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def are_under_way(self) -> bool:
        """Whether there may be any. It costs little: each connection asks."""
        return self._folder.exists()

    def context_for(self, hello: ClientHello, names: Iterable[str]) -> SSL.Context | None:
        """What proves the name that the client asks for, where it asks for a proof.

        ``names`` are ours: what a client says is never part of a path.
        """
        if hello.protocols != (ACME_TLS,):
            return None
        name = next((one for one in names if one == hello.server_name), None)
        if name is None:
            return None
        path = self._path(name)
        try:
            return server_context(load_pair(path, path), ACME_TLS)
        except CertificateError:
            return None  # just that name is not under way

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.pem"


def proof_for(
    name: str, authorization: str, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    """A certificate for ``key`` with the hash of ``authorization`` in it (section 3)."""
    digest = hashlib.sha256(authorization.encode("ascii")).digest()
    subject = x509.Name([])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LIFE)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
        .add_extension(x509.UnrecognizedExtension(_IDENTIFIER, _OCTETS + digest), critical=True)
        .sign(key, hashes.SHA256())
    )
