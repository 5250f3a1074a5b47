"""A secret key in a file: its owner's alone from the first moment, and whole or not there."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from hubmirror.errors import HubmirrorError

__all__ = ["KEY_SIZE", "KeyFileError", "read_or_make_key"]

#: In bytes: as long as the digest of HMAC-SHA-256 (RFC 7518, section 3.2).
KEY_SIZE: Final = 32


class KeyFileError(HubmirrorError):
    """A key's file can't be used; the message says which and why."""


def read_or_make_key(path: Path) -> bytes:
    """The key in ``path``; a new one is put there where it is missing, or no key of this size.

    Blocks. Raises ``KeyFileError`` where that fails, or where others have a right to the file.
    """
    try:
        key = _read(path)
        return _make(path) if key is None else key
    except OSError as error:
        raise KeyFileError(f"the key file {path} can't be used: {error.strerror}") from error


def _read(path: Path) -> bytes | None:
    """The key, or None where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise KeyFileError(f"the key file {path} is open to other users: remove it")
        key = file.read(KEY_SIZE + 1)
    return key if len(key) == KEY_SIZE else None


def _make(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_SIZE)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)  # left by a crash; O_EXCL then follows no link
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key
