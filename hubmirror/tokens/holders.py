"""Whose a token is: the user for whom the token server gave it."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from zope.interface import Interface, implementer

from hubmirror.coordination.marks import Marks

__all__ = ["Holders", "IHolders", "MarkedHolders"]

#: How many tokens are remembered.
MOST: Final = 100_000


class IHolders(Interface):
    """Whose tokens are known."""

    def user_of(authorization: str | None) -> str | None:
        """The user whose token this ``Authorization`` value shows, where that is known."""


@implementer(IHolders)
class Holders:
    """Remembers, in memory alone, the users of the tokens that came through this mirror.

    Only the token server's own answer to a user's password makes one: what a token says of
    itself is not heard. Of a token a keyed hash is kept, never the token; of more than ``limit``
    of them the oldest goes first. ``now`` is in seconds since the epoch. ``marks`` is where other
    processes see that a token has a user.
    """

    def __init__(
        self, now: Callable[[], float], *, limit: int = MOST, marks: Marks | None = None
    ) -> None:
        self._marks = marks
        self._now = now
        self._limit = limit
        self._secret = secrets.token_bytes(32)
        self._users: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def learn(self, token: str, user: str, life: float) -> None:
        """The token server has given ``token`` to ``user``, for ``life`` seconds."""
        if self._marks is not None:
            self._marks.mark(_bytes(token))
        key = self._key(token)
        self._users[key] = (user, self._now() + life)
        self._users.move_to_end(key)
        if len(self._users) > self._limit:
            self._users.popitem(last=False)

    def user_of(self, authorization: str | None) -> str | None:
        """See ``IHolders``."""
        token = _bearer(authorization) if self._users else None
        if token is None:
            return None
        user, until = self._users.get(self._key(token), (None, 0.0))
        return user if self._now() < until else None

    def _key(self, token: str) -> bytes:
        return hashlib.blake2b(_bytes(token), key=self._secret, digest_size=16).digest()


@implementer(IHolders)
class MarkedHolders:
    """Knows of no token whose it is, but of which it is somebody's: ``elsewhere`` is raised then,

    for whoever may know.
    """

    def __init__(self, marks: Marks, elsewhere: Callable[[], Exception]) -> None:
        self._marks = marks
        self._elsewhere = elsewhere

    def user_of(self, authorization: str | None) -> str | None:
        """See ``IHolders``."""
        token = _bearer(authorization)
        if token is not None and self._marks.has(_bytes(token)):
            raise self._elsewhere()
        return None


def _bearer(authorization: str | None) -> str | None:
    """The token that is shown, if it is one."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _bytes(token: str) -> bytes:
    return token.encode("utf-8", "surrogatepass")
