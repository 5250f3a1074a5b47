"""Certificates for tests, made by other code than the one under test."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from hubmirror.certificates.files import PrivateKey

#: Handshakes compare with the real clock, so these certificates do too.
NOW = datetime.now(timezone.utc).replace(microsecond=0)


@frozen
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def make(
    name: str = "localhost",
    key: PrivateKey | None = None,
    issuer: Made | None = None,
    *,
    ca: bool = False,
    begins: datetime = NOW - timedelta(days=2),
    ends: datetime = NOW + timedelta(days=30),
) -> Made:
    """A certificate for ``name``, signed by ``issuer`` or by itself."""
    own = key or ec_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(issuer.key if issuer else own, hashes.SHA256())
    )
    return Made(certificate, own)


def key_pem(
    key: PrivateKey | ed25519.Ed25519PrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


def write_pair(folder: Path, *chain: Made, key: PrivateKey | None = None) -> tuple[Path, Path]:
    """Write ``chain`` as it stands, and the first one's key unless another is given."""
    certificate, private_key = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(b"".join(made.pem for made in chain))
    private_key.write_bytes(key_pem(key or chain[0].key))
    private_key.chmod(0o600)
    return certificate, private_key
