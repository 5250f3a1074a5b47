"""A certificate for those who have none: a local CA, and a leaf that renews itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from zope.interface import implementer

from hubmirror.certificates.files import (
    CertificateError,
    KeyPair,
    PrivateKey,
    load_key,
    load_pair,
)
from hubmirror.certificates.issuing import issue_authority, issue_leaf, names_of, new_key
from hubmirror.certificates.names import normal_names
from hubmirror.certificates.private_files import make_private_folder, write_file
from hubmirror.certificates.sources import ICertificateSource, stamp_of

__all__ = ["LocalAuthority"]

#: The CA is renewed this long before its end: time for clients to fetch the new certificate.
AUTHORITY_MARGIN: Final = timedelta(days=365)

#: A renewal that fails (a full disk) is tried again after this time.
RETRY: Final = timedelta(hours=1)


@implementer(ICertificateSource)
class LocalAuthority:
    """A CA in ``folder`` (``ca.pem``, ``ca.key``) and its leaf for ``names`` (``leaf.*``).

    Each is made when missing and kept as long as it serves. The leaf is made anew when it is
    damaged, lacks a name, or has less than a third of its life left. The CA's key is for ever;
    its certificate is renewed on the same key, so clients that trust the old one stay content
    until that one's own end. ``now`` gives the time, aware of its zone.
    """

    def __init__(self, folder: Path, names: Iterable[str], now: Callable[[], datetime]) -> None:
        self.certificate_file = folder / "ca.pem"
        self._ca_key = folder / "ca.key"
        self._leaf = folder / "leaf.pem"
        self._leaf_key = folder / "leaf.key"
        self._folder = folder
        self._names = normal_names(names)
        self._now = now
        self._renew_at: datetime | None = None

    def load(self) -> KeyPair:
        """The leaf and its key, made or renewed on the way where need be.

        Writing ends with an fsync: milliseconds, every two months. Raises ``CertificateError``
        for a folder that can't be written, and for a CA that is damaged: people trust it, so
        it is never replaced unasked.
        """
        make_private_folder(self._folder)
        authority = self._load_authority()
        pair = self._load_leaf(authority) or self._make_leaf(authority)
        self._renew_at = min(_renewal(pair.chain[0]), _authority_renewal(authority.chain[0]))
        return pair

    def stamp(self) -> Hashable:
        """The state of the files, and how many times a renewal is overdue."""
        files = (self.certificate_file, self._ca_key, self._leaf, self._leaf_key)
        overdue = self._renew_at and max(0, (self._now() - self._renew_at) // RETRY + 1)
        return (*map(stamp_of, files), overdue)

    def _load_authority(self) -> KeyPair:
        if not self.certificate_file.exists():
            # A key alone is what a crash between the two writes leaves.
            if not self._ca_key.exists():
                write_file(self._ca_key, _key_pem(new_key()), 0o600)
            return self._certify_authority()
        try:
            authority = load_pair(self.certificate_file, self._ca_key)
        except CertificateError as error:
            advice = "restore it, or remove ca.pem and ca.key (clients must trust the new CA then)"
            raise CertificateError(f"{error}; {advice}") from error
        certificate = authority.chain[0]
        if _in_force(certificate, self._now(), _authority_renewal(certificate)):
            return authority
        return self._certify_authority()

    def _certify_authority(self) -> KeyPair:
        key = load_key(self._ca_key)
        certificate = issue_authority(key, self._now())
        write_file(self.certificate_file, certificate.public_bytes(Encoding.PEM), 0o644)
        return load_pair(self.certificate_file, self._ca_key)

    def _load_leaf(self, authority: KeyPair) -> KeyPair | None:
        """The leaf on the disk, or None where another is needed."""
        try:
            pair = load_pair(self._leaf, self._leaf_key)
        except CertificateError:
            return None
        leaf = pair.chain[0]
        serves = (
            _in_force(leaf, self._now(), _renewal(leaf))
            and self._names <= names_of(leaf)
            and _issued_by(authority.chain[0], leaf)
        )
        return pair if serves else None

    def _make_leaf(self, authority: KeyPair) -> KeyPair:
        key = new_key()
        leaf = issue_leaf(key, self._names, authority, self._now())
        # A crash in between leaves a pair that doesn't match: it is made anew then.
        write_file(self._leaf_key, _key_pem(key), 0o600)
        write_file(self._leaf, leaf.public_bytes(Encoding.PEM), 0o644)
        return load_pair(self._leaf, self._leaf_key)


def _in_force(certificate: x509.Certificate, now: datetime, until: datetime) -> bool:
    """Whether ``now`` is in the time meant; one made under a wrong clock may begin later."""
    return certificate.not_valid_before_utc <= now < until


def _renewal(leaf: x509.Certificate) -> datetime:
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    return leaf.not_valid_after_utc - life / 3


def _authority_renewal(authority: x509.Certificate) -> datetime:
    return authority.not_valid_after_utc - AUTHORITY_MARGIN


def _issued_by(authority: x509.Certificate, leaf: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
