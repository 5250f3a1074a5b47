"""What a setting's file must be like, and what is read from it."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from cryptography import x509

from hubmirror.upstream.url import checked_url

__all__ = [
    "certificates_file",
    "parse_login",
    "read_login",
    "read_secret",
    "read_url",
    "readable_file",
]


def readable_file(path: Path) -> None:
    """Raise ``ValueError`` unless ``path`` is a file that this process can read."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from error


def certificates_file(path: Path) -> None:
    """Raise ``ValueError`` unless ``path`` is a readable file of certificates in PEM."""
    readable_file(path)
    try:
        x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        raise ValueError(f"{path} holds no certificates in PEM") from None


def read_login(path: Path) -> tuple[str, str]:
    """The user and the password that ``path`` holds as its one line, ``user:password``.

    Raises ``ValueError``, which tells nothing of what the file holds, for a file of another
    form or one to which group or others have any right.
    """
    login = parse_login(_private_text(path))
    if login is None:
        raise ValueError(f"{path} is not one line of the form user:password")
    return login


def read_secret(path: Path) -> str:
    """The secret that ``path`` holds as its one line, of 16 characters at least.

    Raises ``ValueError`` as ``read_login``.
    """
    lines = _private_text(path).splitlines()
    if len(lines) != 1 or not re.fullmatch(r"[!-~]{16,1000}", lines[0]):
        raise ValueError(f"{path} is not one line of 16 visible ASCII characters at least")
    return lines[0]


def read_url(path: Path) -> str:
    """The http or https URL that ``path`` holds as its one line. Raises as ``read_login``."""
    try:
        return checked_url(_private_text(path).strip())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_login(written: str) -> tuple[str, str] | None:
    """The user and the password in one line ``user:password``; None for another form."""
    lines = written.splitlines()
    user, colon, password = lines[0].partition(":") if len(lines) == 1 else ("", "", "")
    return (user, password) if user and colon else None


def _private_text(path: Path) -> str:
    readable_file(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ValueError(f"{path} is open to other users: chmod 600 it")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{path} can't be read as UTF-8") from None
