"""What clients' credentials were seen to open, as far as the upstream itself said so."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from attrs import frozen

from hubmirror.naming import Repository

__all__ = ["Grants"]

#: How long a credential that does not tell its own end is held to be alive, in seconds.
UNKNOWN_LIFE: Final = 300.0
#: The longest payload of a JWT that is looked at, in characters.
MAX_PAYLOAD: Final = 16 * 1024

_FAR_OFF: Final = 1e12


class Grants:
    """The rights that were learned from the upstream's answers, in memory alone.

    A right is of one ``Authorization`` value (of which a keyed hash is kept, never the value)
    to one repository. It holds for ``right_ttl`` seconds and, in an outage of the upstream,
    which then can't be asked, to the end of the credential's own life. At most ``limit`` rights
    are kept; the one that was used least recently goes first. ``now`` is in seconds since the
    epoch.
    """

    def __init__(self, now: Callable[[], float], right_ttl: float, *, limit: int = 100_000) -> None:
        self._now = now
        self._right_ttl = right_ttl
        self._limit = limit
        self._secret = secrets.token_bytes(32)
        self._rights: OrderedDict[bytes, _Right] = OrderedDict()

    def learn(
        self, authorization: str | None, repository: Repository, *, until: float | None = None
    ) -> None:
        """The upstream has just opened ``repository`` to ``authorization``.

        ``until`` is the end of the credential's life where the caller knows it, in seconds
        since the epoch. A JWT's own ``exp`` shortens it: unverified, it can do no more.
        """
        if authorization is None:
            return
        now = self._now()
        ends = [end for end in (until, _expiry(authorization)) if end is not None]
        alive = min(ends, default=now + UNKNOWN_LIFE)
        key = self._key(authorization, repository)
        self._rights[key] = _Right(min(now + self._right_ttl, alive), alive)
        self._rights.move_to_end(key)
        if len(self._rights) > self._limit:
            self._rights.popitem(last=False)

    def allows(
        self, authorization: str | None, repository: Repository, *, in_outage: bool = False
    ) -> bool:
        """Whether ``authorization`` is known to open ``repository``."""
        if authorization is None:
            return False
        key = self._key(authorization, repository)
        right = self._rights.get(key)
        if right is None:
            return False
        now = self._now()
        if now >= right.alive:
            del self._rights[key]
            return False
        self._rights.move_to_end(key)
        return in_outage or now < right.fresh

    def forget(self, authorization: str | None, repository: Repository) -> None:
        """The upstream has refused ``repository`` to ``authorization``."""
        if authorization is not None:
            self._rights.pop(self._key(authorization, repository), None)

    def _key(self, authorization: str, repository: Repository) -> bytes:
        # Neither a registry nor a name holds NUL, so no two triples have one spelling.
        text = f"{authorization}\0{repository.registry}\0{repository.name}"
        data = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, key=self._secret, digest_size=16).digest()


@frozen
class _Right:
    """Until when it needs no new look, and until when its credential lives."""

    fresh: float
    alive: float


def _expiry(authorization: str) -> float | None:
    """The ``exp`` of a Bearer JWT (RFC 7519, 4.1.4), None for any other credential."""
    scheme, _, token = authorization.partition(" ")
    parts = token.strip().split(".")
    if scheme.lower() != "bearer" or len(parts) != 3 or len(parts[1]) > MAX_PAYLOAD:
        return None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    expiry = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(expiry, bool) or not isinstance(expiry, int | float):
        return None
    return float(max(0, min(expiry, _FAR_OFF)))  # NaN becomes 0: an end that is past
