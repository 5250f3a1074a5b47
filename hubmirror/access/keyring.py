"""The keys that sign this mirror's tokens: a new one each day, the old ones for a while."""

from __future__ import annotations

import json
import math
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen
from twisted.logger import Logger

from hubmirror.access.files import AccessFileError, WatchedFile, write_private

__all__ = ["KEY_LIFE", "Key", "Keyring", "parse_keys"]

#: In bytes: as long as the digest of HMAC-SHA-256 (RFC 7518, section 3.2).
KEY_SIZE: Final = 32
#: How long a key signs, in seconds.
KEY_LIFE: Final = 86_400.0
#: After how long it is tried again to write a new one, in seconds.
RETRY: Final = 60.0

_ID = re.compile(r"[0-9a-f]{16}")


@frozen
class Key:
    """``made`` is in seconds since the epoch."""

    id: str
    secret: bytes = field(repr=False)
    made: float


class Keyring:
    """The keys in the file ``path``, the newest last. ``now`` is in seconds since the epoch.

    One process is the writer; others look at the file when they see a key that they don't know.
    A key is kept for ``accepted`` seconds after it has signed for the last time.
    """

    _log = Logger()

    def __init__(self, path: Path, now: Callable[[], float], *, accepted: float) -> None:
        self._now = now
        self._accepted = accepted
        self._failed = -math.inf
        self._file = WatchedFile(path, parse_keys, now)

    def find(self, key_id: str) -> Key | None:
        """The key of this id."""
        return self._find(key_id) or self._find_again(key_id)

    def current(self) -> Key:
        """The key to sign with: for the writer alone, who makes it where it is missing or old.

        That writes the file, which blocks for a moment, once a day. Where it can't be written, the
        old key goes on, and it is tried again in a while; without one, ``AccessFileError``.
        """
        keys, now = self._file.value, self._now()
        is_young = bool(keys) and 0 <= now - keys[-1].made < KEY_LIFE
        if is_young or (keys and 0 <= now - self._failed < RETRY):
            return keys[-1]
        try:
            return self._make(keys, now)
        except AccessFileError as error:
            if not keys:
                raise
            self._failed = now
            self._log.error("the key of yesterday goes on: {why}", why=str(error))
            return keys[-1]

    def _make(self, keys: tuple[Key, ...], now: float) -> Key:
        until = now - KEY_LIFE - self._accepted
        key = Key(secrets.token_hex(8), secrets.token_bytes(KEY_SIZE), now)
        kept = [one for one in keys if until < one.made <= now]
        write_private(self._file.path, _written([*kept, key]))
        self._file.look()
        return key

    def _find(self, key_id: str) -> Key | None:
        return next((key for key in self._file.value if key.id == key_id), None)

    def _find_again(self, key_id: str) -> Key | None:
        self._file.look()
        return self._find(key_id)


def parse_keys(data: bytes) -> tuple[Key, ...]:
    """The keys that ``data`` holds, empty or JSON. Raises ``ValueError``."""
    if not data.strip():
        return ()
    try:
        return tuple(map(_key, json.loads(data)["keys"]))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise ValueError("it is not a file of keys: remove it, and a new one is made") from None


def _key(row: dict[str, Any]) -> Key:
    secret = b64decode(row["secret"], validate=True)
    if not _ID.fullmatch(row["id"]) or len(secret) != KEY_SIZE:
        raise ValueError
    return Key(row["id"], secret, float(row["made"]))


def _written(keys: list[Key]) -> bytes:
    rows = [
        {"id": key.id, "secret": b64encode(key.secret).decode(), "made": key.made} for key in keys
    ]
    return json.dumps({"keys": rows}).encode() + b"\n"
