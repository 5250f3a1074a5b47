"""What an ACME server has given us, on the disk: the account and the certificate."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from zope.interface import implementer

from hubmirror.certificates.acme_proofs import Proofs
from hubmirror.certificates.files import (
    CertificateError,
    KeyPair,
    PrivateKey,
    load_key,
    load_pair,
    parse_pair,
)
from hubmirror.certificates.issuing import new_key
from hubmirror.certificates.private_files import make_private_folder, write_file
from hubmirror.certificates.sources import ICertificateSource, stamp_of

__all__ = ["Account", "AcmeCertificate", "AcmeStore"]

#: All is its owner's alone: what is not secret is nobody else's business.
_MODE = 0o600


@frozen
class Account:
    """An account at an ACME server: ``url`` is the server's name for it (RFC 8555, 7.3)."""

    url: str
    email: str | None = None


class AcmeStore:
    """The part of ``folder`` that belongs to the server of ``directory``, a URL.

    ``account.key`` and ``account.json``; ``certificate.pem`` holds the chain and its key, in one
    file, so that who reads it while it is replaced never has one of each. ``proofs`` are for the
    server, while it looks whether names are ours. Methods block for some
    milliseconds where they write.
    """

    def __init__(self, folder: Path, directory: str) -> None:
        self.proofs = Proofs(folder / _name_of(directory) / "proofs")
        self.certificate_file = folder / _name_of(directory) / "certificate.pem"
        self._top = folder
        self._folder = self.certificate_file.parent
        self._account = self._folder / "account.json"
        self._account_key = self._folder / "account.key"

    def account_key(self) -> PrivateKey:
        """The account's key, made when there is none.

        Raises ``CertificateError``; a damaged one is never replaced unasked, as it is the account.
        """
        if not self._account_key.exists():
            self._write(self._account_key, _key_pem(new_key()))
        return load_key(self._account_key)

    def account(self) -> Account | None:
        """The account, or None where none is known: the server finds it by its key."""
        try:
            told = json.loads(self._account.read_bytes())
            return Account(str(told["url"]), told["email"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep_account(self, account: Account) -> None:
        """Remember it. Raises ``CertificateError``."""
        told = {"url": account.url, "email": account.email}
        self._write(self._account, json.dumps(told).encode() + b"\n")

    def forget_account(self) -> None:
        """The server knows no such account any more; the key stays."""
        self._account.unlink(missing_ok=True)

    def pair(self) -> KeyPair | None:
        """The certificate and its key, or None where there is none yet.

        Raises ``CertificateError`` where the file can't be read.
        """
        if not self.certificate_file.exists():
            return None
        return load_pair(self.certificate_file, self.certificate_file)

    def keep_pair(self, chain: bytes, key: PrivateKey) -> KeyPair:
        """Put a chain (PEM) and its key in the place of what was there.

        Raises ``CertificateError`` where they don't fit; then nothing has changed.
        """
        data = chain.rstrip() + b"\n" + _key_pem(key)
        pair = parse_pair(self.certificate_file, data)
        self._write(self.certificate_file, data)
        return pair

    def stamp(self) -> Hashable:
        """The state of the certificate's file; None where there is none."""
        return stamp_of(self.certificate_file)

    def _write(self, path: Path, data: bytes) -> None:
        make_private_folder(self._top)
        make_private_folder(self._folder)
        write_file(path, data, _MODE)


@implementer(ICertificateSource)
class AcmeCertificate:
    """The certificate that ``store`` has; as long as there is none, that of ``meanwhile``."""

    def __init__(self, store: AcmeStore, meanwhile: ICertificateSource) -> None:
        self._store = store
        self._meanwhile = meanwhile
        self._is_there = False

    def load(self) -> KeyPair:
        """One that can't be read is as none: another will be got. Raises ``CertificateError``."""
        try:
            pair = self._store.pair()
        except CertificateError:
            pair = None
        self._is_there = pair is not None
        return pair or self._meanwhile.load()

    def stamp(self) -> Hashable:
        """The state of the file, and, while it is not used, that of what stands in for it."""
        return self._store.stamp(), None if self._is_there else self._meanwhile.stamp()


def _name_of(directory: str) -> str:
    """A folder's name for a server, such as ``acme-v02.api.letsencrypt.org-directory``."""
    parts = urlsplit(directory)
    return re.sub(r"[^A-Za-z0-9.]+", "-", f"{parts.netloc}{parts.path}").strip("-.")


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
