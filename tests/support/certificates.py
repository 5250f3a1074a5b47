"""A certification authority for tests, and certificates under it."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hubmirror.certificates.files import KeyPair, PrivateKey
from hubmirror.certificates.issuing import issue_authority, issue_leaf, new_key

__all__ = ["Authority"]


class Authority:
    """A CA in a folder: ``certificate`` is what clients trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.certificate = folder / "ca.crt"
        key = new_key()
        certificate = issue_authority(key, _now())
        self.certificate.write_bytes(_certificate_pem(certificate))
        self._pair = KeyPair((certificate,), key, self.certificate, folder / "ca.key")

    def issue(
        self,
        name: str,
        hosts: tuple[str, ...] = ("127.0.0.1", "localhost"),
        now: datetime | None = None,
    ) -> Path:
        """A new certificate for ``hosts``, as ``name.crt``, its key beside it as ``name.key``.

        Its time begins at ``now``, which may be long ago.
        Called again with the same ``name`` it replaces both, as a renewal does.
        """
        key = new_key()
        leaf = issue_leaf(key, hosts, self._pair, now or _now())
        certificate = self._folder / f"{name}.crt"
        certificate.with_suffix(".key").write_bytes(_key_pem(key))
        certificate.with_suffix(".key").chmod(0o600)
        certificate.write_bytes(_certificate_pem(leaf))
        return certificate


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
