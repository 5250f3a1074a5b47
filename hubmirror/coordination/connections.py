"""How many connections are open: in all, and from each client."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import Final

from zope.interface import Interface, implementer

from hubmirror.coordination.board import CLIENT_SLOTS, Board, Seat

__all__ = ["BoardConnections", "Connections", "IConnections"]

#: So many slots are looked at for a client.
_REACH: Final = 16


class IConnections(Interface):
    """Clients are whatever text they are known by."""

    def opened(client: str) -> None:
        """A connection of ``client`` has been opened here."""

    def closed(client: str) -> None:
        """One that was opened here has been closed."""

    def of(client: str) -> int:
        """How many ``client`` has open, here and elsewhere."""

    def total() -> int:
        """How many are open in all."""


@implementer(IConnections)
class Connections:
    """The form within one process."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()
        self._total = 0

    def opened(self, client: str) -> None:
        """See ``IConnections``."""
        self._of[client] += 1
        self._total += 1

    def closed(self, client: str) -> None:
        """See ``IConnections``."""
        self._total -= 1
        self._of[client] -= 1
        if self._of[client] <= 0:
            del self._of[client]

    def of(self, client: str) -> int:
        """See ``IConnections``."""
        return self._of[client]

    def total(self) -> int:
        """See ``IConnections``."""
        return self._total


@implementer(IConnections)
class BoardConnections:
    """The form over the workers that share ``board``, for the one in ``seat``.

    A seat has a hash table of its clients, which its worker alone writes. Where that is full, a
    client's connections are known to its own worker only.
    """

    def __init__(self, board: Board, seat: int) -> None:
        self._own = Connections()
        self._seat = board.seats[seat]
        self._others = [one for number, one in enumerate(board.seats) if number != seat]

    def opened(self, client: str) -> None:
        """See ``IConnections``."""
        self._own.opened(client)
        self._tell(client)

    def closed(self, client: str) -> None:
        """See ``IConnections``."""
        self._own.closed(client)
        self._tell(client)

    def of(self, client: str) -> int:
        """See ``IConnections``."""
        key = _key(client)
        return self._own.of(client) + sum(_count(seat, key) for seat in self._others)

    def total(self) -> int:
        """See ``IConnections``."""
        return self._own.total() + sum(seat.clients[0] for seat in self._others)

    def _tell(self, client: str) -> None:
        clients = self._seat.clients
        clients[0] = self._own.total()
        key, count = _key(client), self._own.of(client)
        slot = _slot(self._seat, key)
        if slot is None and count:
            slot = next((one for one in _slots(key) if not clients[one + 1]), None)
        if slot is not None:
            # Who looks meanwhile sees neither: one too few for a moment.
            clients[slot + 1] = 0
            clients[slot] = key
            clients[slot + 1] = count


def _key(client: str) -> int:
    digest = blake2b(client.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _slots(key: int) -> list[int]:
    """Where a client may stand: behind the first pair, which holds the total."""
    return [2 + 2 * ((key + step) % (CLIENT_SLOTS - 1)) for step in range(_REACH)]


def _slot(seat: Seat, key: int) -> int | None:
    return next((one for one in _slots(key) if seat.clients[one] == key), None)


def _count(seat: Seat, key: int) -> int:
    slot = _slot(seat, key) if seat.clients[0] else None
    return 0 if slot is None else seat.clients[slot + 1]
