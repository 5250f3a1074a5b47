"""Whose a token is: the user for whom the token server gave it."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

__all__ = ["Holders"]

#: How many tokens are remembered.
MOST: Final = 100_000


class Holders:
    """Remembers, in memory alone, the users of the tokens that came through this mirror.

    Only the token server's own answer to a user's password makes one: what a token says of
    itself is not heard. Of a token a keyed hash is kept, never the token; of more than ``limit``
    of them the oldest goes first. ``now`` is in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float], *, limit: int = MOST) -> None:
        self._now = now
        self._limit = limit
        self._secret = secrets.token_bytes(32)
        self._users: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def learn(self, token: str, user: str, life: float) -> None:
        """The token server has given ``token`` to ``user``, for ``life`` seconds."""
        key = self._key(token)
        self._users[key] = (user, self._now() + life)
        self._users.move_to_end(key)
        if len(self._users) > self._limit:
            self._users.popitem(last=False)

    def user_of(self, authorization: str | None) -> str | None:
        """The user whose token this ``Authorization`` value shows, where that is known."""
        if authorization is None or not self._users:
            return None
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        user, until = self._users.get(self._key(token.strip()), (None, 0.0))
        return user if self._now() < until else None

    def _key(self, token: str) -> bytes:
        data = token.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, key=self._secret, digest_size=16).digest()
