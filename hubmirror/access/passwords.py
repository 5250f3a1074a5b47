"""Whether a user's password is right: looked at in threads, and remembered for a while."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from hubmirror.access.files import WatchedFile
from hubmirror.access.refusals import busy, slow_down
from hubmirror.access.throttle import Throttle
from hubmirror.access.users import Users, is_right
from hubmirror.cache.threads import shielded
from hubmirror.coordination.flights import Flights
from hubmirror.errors import RegistryError

__all__ = ["Passwords", "Run"]

#: How long a password needs no new look, in seconds: that costs 0.2 s of a processor, and a pull
#: shows it several times.
REMEMBERED: Final = 600.0
#: How many are remembered, and how many may wait for a thread.
MOST: Final = 10_000
MOST_WAITING: Final = 64

#: Has a function done in a thread.
Run = Callable[[Callable[[bytes, bytes], bool], bytes, bytes], Deferred[bool]]


class Passwords:
    """Of what was right or wrong only a keyed hash is kept, in memory. ``seconds`` is any clock.

    It holds for the very hash in the file: another password ends it at once. The same wrong
    password again is no further guess: a job that was not told of the new one tries for ever.
    """

    def __init__(
        self,
        users: WatchedFile[Users],
        throttle: Throttle,
        run: Run,
        seconds: Callable[[], float],
    ) -> None:
        self._users = users
        self._throttle = throttle
        self._run = run
        self._seconds = seconds
        self._secret = secrets.token_bytes(32)
        self._flights = Flights()
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._wrong: OrderedDict[bytes, float] = OrderedDict()
        self._waiting = 0

    def is_known(self, user: str, password: bytes) -> bool:
        """Whether this was found to be right a while ago."""
        return self._is_in(self._right, user, password)

    def is_known_wrong(self, user: str, password: bytes) -> bool:
        """Whether this was found to be wrong a while ago."""
        return self._is_in(self._wrong, user, password)

    def objection(self, address: str) -> RegistryError | None:
        """Why a login from ``address`` is not even looked at."""
        seconds = self._throttle.wait(address)
        return slow_down(math.ceil(seconds)) if seconds > 0 else None

    async def check(self, address: str, user: str, password: bytes) -> bool:
        """Whether it is right. Raises ``TooManyRequests`` or ``Unavailable``.

        Those who show the same at the same time share one look.
        """
        if self.is_known(user, password):
            return True
        if self.is_known_wrong(user, password):
            return False
        refusal = self.objection(address)
        if refusal is not None:
            raise refusal
        key = self._key(user, password)

        async def look() -> bool:
            return await self._look(address, user, password)

        return await self._flights.join((address, key), look)

    def _look(self, address: str, user: str, password: bytes) -> Deferred[bool]:
        if self._waiting >= MOST_WAITING or not self._throttle.begin(address):
            raise busy()
        self._waiting += 1
        self._users.look()  # who was added a moment ago is not to fail
        users = self._users.value
        work = self._run(is_right, password, users.hash_of(user))

        def looked(result: bool | Failure) -> bool | Failure:
            self._waiting -= 1
            found = result is True and user in users.hashes
            self._throttle.end(address, has_failed=result is not True)
            if isinstance(result, bool):
                self._remember(self._right if found else self._wrong, user, password)
            return result if isinstance(result, Failure) else found

        # Who leaves meanwhile must not have guessed for nothing, so the look goes on.
        return shielded(work.addBoth(looked))

    def _is_in(self, known: OrderedDict[bytes, float], user: str, password: bytes) -> bool:
        until = known.get(self._key(user, password)) if known else None
        return until is not None and self._seconds() < until

    def _remember(self, known: OrderedDict[bytes, float], user: str, password: bytes) -> None:
        key = self._key(user, password)
        known[key] = self._seconds() + REMEMBERED
        known.move_to_end(key)
        if len(known) > MOST:
            known.popitem(last=False)

    def _key(self, user: str, password: bytes) -> bytes:
        hash_ = self._users.value.hashes.get(user, b"")
        parts = (user.encode("utf-8", "surrogatepass"), hash_, password)
        data = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hashlib.blake2b(data, key=self._secret, digest_size=16).digest()
