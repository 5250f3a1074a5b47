"""Tokens of the mirror's own, for the time in which the upstream's token server is away.

Source: RFC 7519; the claims are those of the Docker registry v2 bearer token specification.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import jwt
from attrs import frozen

from hubmirror.errors import NameInvalid
from hubmirror.naming import Repository, Scope
from hubmirror.tokens.keyfile import read_or_make_key

__all__ = ["Granted", "Issuer"]

ISSUER: Final = "hubmirror"
#: Clients hold a token that lives shorter for broken (the specification's own figure), in seconds.
SHORTEST_LIFE: Final = 60.0
#: How far past its end a token is still taken, in seconds: the clock may have been set meanwhile,
#: and a client in the midst of a pull asks for no new one.
LEEWAY: Final = 60.0
#: How many repositories one token names: a token must fit into a request's header.
MOST_REPOSITORIES: Final = 32

_ALGORITHM: Final = "HS256"
#: Its end is judged by the clock that was handed in, not by PyJWT.
_OPTIONS: Final[Any] = {"verify_exp": False, "verify_iat": False, "require": ["exp", "access"]}


@frozen
class Granted:
    """What a token of the mirror's own lists: names of repositories, each for ``pull``."""

    repositories: frozenset[str]
    expires: float


class Issuer:
    """Issues tokens, signed with the key in ``key_file``, and knows them again.

    The file is made where it is missing. Such a token says who gave it, not that anything may
    be read: it opens public repositories only, and it never goes upstream. ``now`` is in
    seconds since the epoch. Raises ``KeyFileError`` where the file can't be read or made.
    """

    def __init__(self, key_file: Path, now: Callable[[], float]) -> None:
        self._key = read_or_make_key(key_file)
        self._now = now
        self._key_id = hashlib.sha256(b"hubmirror key id" + self._key).hexdigest()[:16]
        # The header is the same in all tokens of this key: what begins otherwise is not ours,
        # and is not even parsed.
        self._prefix = self._sign({}).partition(".")[0] + "."

    def issue(self, scopes: Iterable[Scope], lifetime: float) -> dict[str, object]:
        """The answer to a token request: ``token``, ``access_token``, ``expires_in`` and

        ``issued_at``. It grants ``pull`` on the repositories in ``scopes`` for ``lifetime``
        seconds, a minute at least. As token servers do, it leaves out in silence what it does
        not grant.
        """
        issued = int(self._now())
        life = math.ceil(max(lifetime, SHORTEST_LIFE))
        names = dict.fromkeys(scope.name for scope in scopes if _is_pull(scope))
        token = self._sign(
            {
                "iss": ISSUER,
                "iat": issued,
                "exp": issued + life,
                "access": [
                    {"type": "repository", "name": name, "actions": ["pull"]}
                    for name in list(names)[:MOST_REPOSITORIES]
                ],
            }
        )
        return {
            "token": token,
            "access_token": token,
            "expires_in": life,
            "issued_at": _rfc3339(issued),
        }

    def recognise(self, authorization: str | None) -> Granted | None:
        """What ``authorization`` lists if it is a token of ours that is alive, else None."""
        granted = self._read(authorization)
        if granted is None or self._now() >= granted.expires + LEEWAY:
            return None
        return granted

    def looks_ours(self, authorization: str | None) -> bool:
        """Whether ``authorization`` is a token of ours, alive or not: it must not go upstream."""
        return self._read(authorization) is not None

    def _sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._key, _ALGORITHM, headers={"kid": self._key_id})

    def _read(self, authorization: str | None) -> Granted | None:
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token.startswith(self._prefix):
            return None
        try:
            claims = jwt.decode(token, self._key, [_ALGORITHM], options=_OPTIONS)
        except (jwt.InvalidTokenError, ValueError):
            return None
        # What this key has signed is of the form that ``issue`` gave it.
        return Granted(frozenset(one["name"] for one in claims["access"]), float(claims["exp"]))


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_pull(scope: Scope) -> bool:
    if scope.type != "repository" or not {"pull", "*"}.intersection(scope.actions):
        return False
    try:
        Repository("", scope.name)
    except NameInvalid:
        return False
    return True
