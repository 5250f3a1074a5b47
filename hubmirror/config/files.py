"""What a setting's file must be like, and what is read from it."""

from __future__ import annotations

import os
import re
import stat
import struct
from pathlib import Path
from typing import Final

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

#: Of an access control list, as Linux keeps it: whose right an entry is. Source: acl(5),
#: linux/posix_acl_xattr.h.
_ACL: Final = "system.posix_acl_access"
_NAMED_USER, _GROUP, _NAMED_GROUP, _OTHERS = 0x02, 0x04, 0x08, 0x20


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
    if _open_to_others(path):
        raise ValueError(f"{path} is open to other users: chmod 600 it")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{path} can't be read as UTF-8") from None


def _open_to_others(path: Path) -> bool:
    """Whether anybody but the owner, and who runs this process, has any right to it."""
    found = path.stat()
    try:
        entries = os.getxattr(path, _ACL)[4:]
    except OSError:
        return bool(stat.S_IMODE(found.st_mode) & (0o037 if _is_lent(found) else 0o077))
    # The mode's bits for the group are then what the list may grant at most. systemd gives a
    # service its credentials so: they are root's, with a right for the service's user.
    return any(
        rights and (tag in (_GROUP, _NAMED_GROUP, _OTHERS) or _is_stranger(tag, whose))
        for tag, rights, whose in struct.iter_unpack("<HHI", entries)
    )


def _is_lent(found: os.stat_result) -> bool:
    """Whether it is root's, to be read by a group of ours: so Kubernetes mounts a Secret."""
    return found.st_uid == 0 != os.geteuid() and found.st_gid in {os.getegid(), *os.getgroups()}


def _is_stranger(tag: int, whose: int) -> bool:
    return tag == _NAMED_USER and whose != os.geteuid()
