"""Making the certificates of a local CA (RFC 5280's profile, as strict verifiers want it)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hubmirror.certificates.files import KeyPair, PrivateKey

__all__ = ["AUTHORITY_LIFE", "LEAF_LIFE", "issue_authority", "issue_leaf", "names_of", "new_key"]

AUTHORITY_LIFE: Final = timedelta(days=3650)
LEAF_LIFE: Final = timedelta(days=90)

#: Certificates begin this much before they are made, for clients whose clocks are late.
BACKDATED: Final = timedelta(hours=1)

_NO_USAGE: Final = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key on P-256, which every client knows."""
    return ec.generate_private_key(ec.SECP256R1())


def issue_authority(key: PrivateKey, now: datetime) -> x509.Certificate:
    """A CA's certificate for ``key``, signed by itself; it may sign leaves only.

    The name comes from the key: a renewed certificate has the same one, so leaves verify under
    either, and two mirrors' CAs in one trust store never share it.
    """
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = _common_name(f"hubmirror local CA {identifier.digest.hex()[:12]}")
    usage = x509.KeyUsage(**{**_NO_USAGE, "key_cert_sign": True, "crl_sign": True})
    return (
        _draft(name, name, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def issue_leaf(
    key: PrivateKey, names: Iterable[str], authority: KeyPair, now: datetime
) -> x509.Certificate:
    """A server's certificate for ``key``: good for every one of ``names``, under ``authority``."""
    issuer = authority.chain[0]
    usage = x509.KeyUsage(**{**_NO_USAGE, "digital_signature": True})
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in sorted(names)])
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.private_key.public_key())
    return (
        _draft(_common_name("hubmirror"), issuer.subject, key, now, LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(purpose, critical=False)
        .add_extension(alternatives, critical=False)
        .add_extension(signer, critical=False)
        .sign(authority.private_key, hashes.SHA256())
    )


def names_of(certificate: x509.Certificate) -> frozenset[str]:
    """The host names and addresses that a certificate is good for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return frozenset((*found.get_values_for_type(x509.DNSName), *addresses))


def _draft(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
