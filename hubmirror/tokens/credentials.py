"""The mirror's own account upstream: whether its password is right, and when it may be tried."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from hubmirror.errors import UpstreamFailure

__all__ = ["ANONYMOUS", "Account", "LoginRefused", "LoginStatus"]

#: The first and the longest wait after a refused login, in seconds; each one doubles.
SHORTEST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 600.0


class LoginRefused(UpstreamFailure):
    """The upstream does not take the mirror's own login; ``Retry-After`` tells of the next try."""

    default_message = "the upstream refuses the mirror's own login"


@frozen
class LoginStatus:
    """How the mirror's own login stands, for a person to read.

    ``ok`` is None as long as nobody has tried it; ``next_try`` is when a refused one may be
    tried again, in seconds since the epoch.
    """

    ok: bool | None
    message: str
    next_try: float | None = None


#: The status of a mirror that has no account.
ANONYMOUS: Final = LoginStatus(True, "the mirror pulls anonymously")


class Account:
    """A user and a password, and what the upstream last said of them.

    A refused login is left alone for a second, then two, up to ten minutes; after that one try
    at a time is let through. ``now`` is in seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self, login: tuple[str, str], clock: IReactorTime, now: Callable[[], float]
    ) -> None:
        self.user = login[0]
        self._basic = f"Basic {b64encode(':'.join(login).encode()).decode()}"
        self._clock = clock
        self._now = now
        self._refusals = 0
        self._message = "the mirror's own login has not been tried yet"
        self._next_try = 0.0
        self._is_trying = False
        self.is_proven = False

    @property
    def authorization(self) -> str:
        """The ``Authorization`` value of the account itself (RFC 7617, UTF-8)."""
        return self._basic

    def status(self) -> LoginStatus:
        """How the login stands."""
        if not self._refusals:
            return LoginStatus(self.is_proven or None, self._message)
        return LoginStatus(False, self._message, self._now() + self._left())

    def admit(self) -> None:
        """Return when the login may be used or tried; raises ``LoginRefused`` when it may not."""
        if self._refusals and (self._left() > 0 or self._is_trying):
            raise self._refusal()

    @contextmanager
    def trying(self) -> Iterator[None]:
        """A try is under way as long as this lasts: until then, ``admit`` lets no other pass."""
        self._is_trying = True
        try:
            yield
        finally:
            self._is_trying = False

    def doubt(self) -> None:
        """The upstream refused something to a proven login: the next use tries it anew."""
        self.is_proven = False

    def accepted(self, host: str) -> None:
        """``host`` took the login."""
        message = f"{host} takes the mirror's own login"
        if self._refusals or message != self._message:
            self._log.info("{message}", message=message)
        self._refusals, self._message, self.is_proven = 0, message, True

    def refused(self, host: str, status: int) -> LoginRefused:
        """``host`` refused the login with ``status``: the error for whoever waits for it."""
        wait = min(SHORTEST_WAIT * 2 ** min(self._refusals, 30), LONGEST_WAIT)
        self._refusals += 1
        self._next_try = self._clock.seconds() + wait
        self._message = f"{host} refuses the mirror's own login ({status})"
        self.is_proven = False
        self._log.error(
            "{message}: correct the user or password; the next try is in {wait:g} seconds",
            message=self._message,
            wait=wait,
        )
        return self._refusal()

    def _left(self) -> float:
        return max(0.0, self._next_try - self._clock.seconds())

    def _refusal(self) -> LoginRefused:
        seconds = max(1, math.ceil(self._left()))
        return LoginRefused(
            f"{self._message}; it is tried again in {seconds} seconds",
            headers={"Retry-After": str(seconds)},
        )
