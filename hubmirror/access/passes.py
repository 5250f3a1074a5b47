"""Passes: the tokens by which clients show that they have logged in here.

Source: RFC 7519; the claims are those of the Docker registry v2 bearer token specification.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, Final

import jwt
from attrs import frozen

from hubmirror.access.keyring import Key, Keyring
from hubmirror.access.refusals import SERVICE

__all__ = ["LEEWAY", "LIFE", "Pass", "Passes", "UnknownKey"]

#: How long a pass lives, in seconds: as long as Docker Hub's. And how far past its end it is still
#: taken: dockerd asks for no new one in the midst of a pull.
LIFE: Final = 300
LEEWAY: Final = 60.0
#: The longest token that is looked at, in characters, and how many are remembered.
MAX_TOKEN: Final = 16 * 1024
REMEMBERED: Final = 4096

_ALGORITHM: Final = "HS256"
#: Its end is judged by the clock that was handed in, not by PyJWT.
_OPTIONS: Final[Any] = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "require": ["exp", "sub", "access", "cert"],
}


class UnknownKey(Exception):
    """A token of ours by its looks, signed with a key that is not, or not yet, known here."""


@frozen
class Pass:
    """Whose it is ("" for who has not logged in), and what it lists, as ``registry/name``.

    ``by_certificate``: it holds together with the user's certificate alone.
    """

    user: str
    names: frozenset[str]
    expires: float
    by_certificate: bool = False


class Passes:
    """Issues passes and knows them again; its ``keyring`` has the time."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._secret = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, tuple[Pass, Key]] = OrderedDict()

    def issue(
        self,
        user: str,
        names: Sequence[str],
        now: float,
        *,
        until: float | None = None,
        by_certificate: bool = False,
    ) -> dict[str, object]:
        """The answer to a token request: ``token``, ``access_token``, ``expires_in``,

        ``issued_at``. It ends with ``until`` at the latest, in seconds since the epoch.
        """
        issued = int(now)
        life = LIFE if until is None else max(1, min(LIFE, int(until - now)))
        key = self._keyring.current()
        claims = {
            "iss": SERVICE,
            "aud": SERVICE,
            "sub": user,
            "iat": issued,
            "nbf": issued,
            "exp": issued + life,
            "jti": secrets.token_hex(8),
            "cert": by_certificate,
            "access": [{"type": "repository", "name": one, "actions": ["pull"]} for one in names],
        }
        token = jwt.encode(claims, key.secret, _ALGORITHM, headers={"kid": key.id})
        stamp = datetime.fromtimestamp(issued, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"token": token, "access_token": token, "expires_in": life, "issued_at": stamp}

    def read(self, token: str, now: float) -> Pass | None:
        """The pass that ``token`` is, if it is one, and alive. Raises ``UnknownKey``."""
        found = self._read(token)
        return found if found is not None and now < found.expires + LEEWAY else None

    def _read(self, token: str) -> Pass | None:
        if len(token) > MAX_TOKEN:
            return None
        digest = hashlib.blake2b(
            token.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=16
        ).digest()
        known = self._known.get(digest)
        if known is not None and self._keyring.find(known[1].id) == known[1]:
            return known[0]
        verified = self._verify(token)
        if verified is None:
            return None
        self._known[digest] = verified
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return verified[0]

    def _verify(self, token: str) -> tuple[Pass, Key] | None:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            return None
        if not isinstance(key_id, str):
            return None
        key = self._keyring.find(key_id)
        if key is None:
            raise UnknownKey
        try:
            claims = jwt.decode(
                token, key.secret, [_ALGORITHM], audience=SERVICE, issuer=SERVICE, options=_OPTIONS
            )
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            return None
        # What this key has signed is of the form that ``issue`` gave it.
        names = frozenset(one["name"] for one in claims["access"])
        return Pass(claims["sub"], names, float(claims["exp"]), claims["cert"]), key
