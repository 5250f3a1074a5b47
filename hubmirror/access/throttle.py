"""Who guesses passwords is slowed down, more with each failure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from attrs import define

from hubmirror.quota.spender import address_key

__all__ = ["Throttle"]

#: So many failures are free: people mistype.
FREE: Final = 5
#: How long one waits after the next one, doubled with each that follows, and at most, in seconds.
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 900.0
#: After so long without a failure an address is forgotten, in seconds.
FORGIVEN: Final = 3600.0
#: How many addresses are remembered: the one whose failure is oldest goes first.
MOST: Final = 10_000
#: How many logins of one address are looked at at a time.
TOGETHER: Final = 8


@define
class _Guesses:
    failures: int = 0
    latest: float = 0.0
    until: float = 0.0


class Throttle:
    """Failed logins of each address, of IPv6 of each /64. ``seconds`` is any clock.

    A right password forgives nothing: else who has one could guess at others for ever.
    """

    def __init__(self, seconds: Callable[[], float], *, limit: int = MOST) -> None:
        self._seconds = seconds
        self._limit = limit
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()
        self._running: dict[str, int] = {}

    def wait(self, address: str) -> float:
        """How long ``address`` has to wait until its next login is looked at, in seconds."""
        guesses = self._guesses.get(address_key(address))
        return 0.0 if guesses is None else max(0.0, guesses.until - self._seconds())

    def begin(self, address: str) -> bool:
        """A login is about to be looked at: False where too many of that address are.

        Who has failed often gets one at a time.
        """
        key = address_key(address)
        guesses = self._guesses.get(key)
        most = 1 if guesses is not None and guesses.failures > FREE else TOGETHER
        running = self._running.get(key, 0)
        if running >= most:
            return False
        self._running[key] = running + 1
        return True

    def end(self, address: str, *, has_failed: bool) -> None:
        """It has been."""
        key = address_key(address)
        running = self._running.pop(key, 1) - 1
        if running > 0:
            self._running[key] = running
        if has_failed:
            self._failed(key)

    def _failed(self, key: str) -> None:
        now = self._seconds()
        guesses = self._guesses.pop(key, None)
        if guesses is None or now - guesses.latest > FORGIVEN:
            guesses = _Guesses()
        guesses.failures += 1
        guesses.latest = now
        excess = guesses.failures - FREE
        if excess > 0:
            guesses.until = now + min(FIRST_WAIT * 2.0 ** min(excess - 1, 30), LONGEST_WAIT)
        self._guesses[key] = guesses
        if len(self._guesses) > self._limit:
            self._guesses.popitem(last=False)
