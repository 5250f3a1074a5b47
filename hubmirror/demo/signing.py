"""Tokens and URLs that carry their own proof: HMAC-SHA256 under a key of this process.

A real auth server signs its JSON Web Tokens with a private key and registries know only the
public one. Here one process does both, so a shared secret from the standard library is enough.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import Any, Final
from urllib.parse import urlencode

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime

from hubmirror.naming import Scope

__all__ = ["Claims", "InvalidToken", "TokenMint", "UrlSigner"]

_HEADER: Final = {"typ": "JWT", "alg": "HS256"}


class InvalidToken(Exception):
    """A token that was not made here, or is too old, or of the other use."""


@frozen
class Claims:
    """What a token says: whose it is (None: anybody's) and what it opens."""

    user: str | None
    access: tuple[Scope, ...] = ()

    def allows(self, scope: Scope) -> bool:
        """Whether the token opens all that ``scope`` names."""
        return any(
            (entry.type, entry.name) == (scope.type, scope.name)
            and set(scope.actions) <= set(entry.actions)
            for entry in self.access
        )


@frozen
class TokenMint:
    """Makes tokens of the shape of a JWT (RFC 7519), and reads them back.

    ``use`` is ``access`` for the registry's tokens and ``refresh`` for those that buy new ones.
    """

    _clock: IReactorTime
    _key: bytes = field(repr=False)

    def issue(self, claims: Claims, use: str, lifetime: float) -> str:
        """A token with these claims for ``lifetime`` seconds."""
        payload = {
            "sub": claims.user or "",
            "use": use,
            "exp": self._clock.seconds() + lifetime,
            "access": [
                {"type": scope.type, "name": scope.name, "actions": list(scope.actions)}
                for scope in claims.access
            ],
        }
        signed = f"{_encode(_json(_HEADER))}.{_encode(_json(payload))}"
        return f"{signed}.{_encode(_sign(self._key, signed))}"

    def read(self, token: str, use: str) -> Claims:
        """The claims of a token made here for this use; raises ``InvalidToken``."""
        signed, _, signature = token.rpartition(".")
        right = _encode(_sign(self._key, signed))
        if not hmac.compare_digest(right.encode(), signature.encode()):
            raise InvalidToken("the signature is wrong")
        payload: dict[str, Any] = json.loads(_decode(signed.partition(".")[2]))
        if payload["exp"] <= self._clock.seconds() or payload["use"] != use:
            raise InvalidToken("the token has expired or is for another use")
        access = tuple(
            Scope(entry["type"], entry["name"], tuple(entry["actions"]))
            for entry in payload["access"]
        )
        return Claims(payload["sub"] or None, access)


@frozen
class UrlSigner:
    """Makes the queries that let anybody use a path for a while, and checks them.

    ``methods`` are those that a query is good for; ``lifetime`` is in seconds.
    """

    _clock: IReactorTime
    _key: bytes = field(repr=False)
    methods: tuple[str, ...] = ("GET", "HEAD")
    lifetime: float = 300

    def query(self, path: str) -> str:
        """The query that opens ``path`` from now on."""
        expires = str(int(self._clock.seconds() + self.lifetime))
        methods = ",".join(self.methods)
        signature = _encode(_sign(self._key, f"{path}\n{expires}\n{methods}"))
        return urlencode({"expires": expires, "methods": methods, "signature": signature})

    def allows(self, method: str, path: str, query: dict[str, str]) -> bool:
        """Whether ``query`` opens ``path`` to ``method``, and still does."""
        expires, methods = query.get("expires", ""), query.get("methods", "")
        right = _encode(_sign(self._key, f"{path}\n{expires}\n{methods}"))
        if not hmac.compare_digest(right.encode(), query.get("signature", "").encode()):
            return False
        return method in methods.split(",") and self._clock.seconds() < float(expires)


def _sign(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), "sha256").digest()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise InvalidToken("the token is not base64") from error
