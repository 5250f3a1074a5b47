"""A certificate chain and its private key, read from PEM files and checked before use."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from attrs import evolve, field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hubmirror.errors import HubmirrorError

__all__ = ["CertificateError", "KeyPair", "PrivateKey", "load_key", "load_pair", "parse_pair"]

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

#: What today's clients accept at least (NIST SP 800-131A; OpenSSL's security level 2).
MIN_RSA_BITS: Final = 2048


class CertificateError(HubmirrorError):
    """A certificate or a key that can't be used. The message names the file and the cause."""


@frozen
class KeyPair:
    """A chain, leaf first, as TLS sends it, and the private key of its leaf."""

    chain: tuple[x509.Certificate, ...]
    private_key: PrivateKey = field(repr=False, eq=False)
    certificate_file: Path
    key_file: Path
    #: Whether every user of the machine may read the key.
    key_exposed: bool = False

    def warnings(self, now: datetime) -> tuple[str, ...]:
        """What a person should mend although the pair works; ``now`` is aware of its zone."""
        leaf = self.chain[0]
        found = []
        if now > leaf.not_valid_after_utc:
            ended = leaf.not_valid_after_utc.isoformat()
            found.append(f"{self.certificate_file}: the certificate expired at {ended}")
        if now < leaf.not_valid_before_utc:
            begins = leaf.not_valid_before_utc.isoformat()
            found.append(f"{self.certificate_file}: the certificate is valid only from {begins} on")
        if self.key_exposed:
            mend = f"chmod o-rwx {shlex.quote(str(self.key_file))}"
            found.append(f"{self.key_file}: any user may read this private key; mend it: {mend}")
        return tuple(found)


def load_pair(certificate: Path, private_key: Path) -> KeyPair:
    """Read a PEM chain and its RSA or EC key (PKCS#1, PKCS#8 or SEC1); one file may hold both.

    The leaf is the certificate that the key fits, wherever it stands. Raises
    ``CertificateError``; an expired certificate is no error but one of the pair's ``warnings``.
    """
    if certificate == private_key:  # read once: it may be replaced meanwhile
        data, mode = _read(private_key)
        return evolve(parse_pair(certificate, data), key_exposed=_is_exposed(mode))
    certificates = _parse_certificates(certificate, _read(certificate)[0])
    data, mode = _read(private_key)
    pair = _pair(certificates, certificate, _parse_key(private_key, data), private_key)
    return evolve(pair, key_exposed=_is_exposed(mode))


def parse_pair(path: Path, data: bytes) -> KeyPair:
    """The same of what ``path`` holds, or is about to: a chain and its key in PEM."""
    return _pair(_parse_certificates(path, data), path, _parse_key(path, data), path)


def load_key(path: Path) -> PrivateKey:
    """Read a PEM key alone. Raises ``CertificateError``."""
    return _parse_key(path, _read(path)[0])


def _pair(
    certificates: Sequence[x509.Certificate], certificate: Path, key: PrivateKey, key_file: Path
) -> KeyPair:
    leaf = _leaf_of(key, certificates)
    if leaf is None:
        raise CertificateError(f"{key_file}: the key fits no certificate in {certificate}")
    return KeyPair(_in_order(leaf, certificates), key, certificate, key_file)


def _is_exposed(mode: int) -> bool:
    return bool(mode & stat.S_IROTH)


def _read(path: Path) -> tuple[bytes, int]:
    """The file's content, and its mode at that moment."""
    try:
        with path.open("rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise CertificateError(f"{path}: can't be read: {error.strerror}") from error


def _parse_certificates(path: Path, data: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise CertificateError(f"{path}: no certificate in PEM form, or a damaged one") from error


def _parse_key(path: Path, data: bytes) -> PrivateKey:
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError as error:
        quoted = shlex.quote(str(path))
        decrypt = f"openssl pkey -in {quoted} -out DECRYPTED"
        raise CertificateError(f"{path}: the private key is encrypted; use: {decrypt}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{path}: no private key in PEM form, or a damaged one") from error
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        bits = f"{key.key_size} bits, {MIN_RSA_BITS} is the least"
        raise CertificateError(f"{path}: the RSA key is too short: {bits}")
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise CertificateError(f"{path}: the private key is neither RSA nor EC")
    return key


def _leaf_of(key: PrivateKey, among: Sequence[x509.Certificate]) -> x509.Certificate | None:
    public = key.public_key()
    return next((one for one in among if _public_key(one) == public), None)


def _public_key(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None  # an exotic CA's: none that our key could fit


def _in_order(
    leaf: x509.Certificate, certificates: Sequence[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """The leaf, its issuer, that one's issuer and so on; what is left over comes last.

    Clients of TLS 1.2 may insist on this order (RFC 5246, 7.4.2).
    """
    chain = [leaf]
    rest = [one for one in certificates if one != leaf]
    while issuer := next((one for one in rest if one.subject == chain[-1].issuer), None):
        chain.append(issuer)
        rest.remove(issuer)
    return (*chain, *rest)
