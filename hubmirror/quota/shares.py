"""One window's count, of which shares may be reserved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hubmirror.quota.rules import Reserve
from hubmirror.quota.spender import Spender

__all__ = ["COMMON", "ENDLESS", "Shares", "is_member"]

#: What is not reserved for anybody.
COMMON: Final = -1
#: More than any count.
ENDLESS: Final = 1 << 62


class Shares:
    """How much of ``limit`` (0: any amount) is spent, and who may spend what is left.

    A member of a reserve spends that first, and of what is common afterwards, so its whole share
    is there for it whenever it comes. Others never get at it. A member of several spends the
    first that has room.

    Where nothing is reserved, ``used`` against ``ceiling`` is all of it: whoever asks may spend
    while it is less, and adds one to it.
    """

    def __init__(self, limit: int, reserves: Sequence[Reserve]) -> None:
        self.limit = limit
        self.ceiling = limit or ENDLESS
        self.used = 0
        self.reserves = tuple(reserves)
        self.sizes = [_size(limit, reserve) for reserve in reserves]
        self.spent = [0] * len(self.sizes)
        self._common_size = limit - sum(self.sizes)

    def payer(self, spender: Spender) -> int | None:
        """Out of what ``spender`` may spend one: a reserve's number, or ``COMMON``, or nothing."""
        if self.limit == 0:
            return COMMON
        if self.used >= self.limit:
            return None
        for number, reserve in enumerate(self.reserves):
            if self.spent[number] < self.sizes[number] and is_member(reserve, spender):
                return number
        return COMMON if self.used - sum(self.spent) < self._common_size else None

    def charge(self, payer: int | None) -> None:
        """Spend one, of what ``payer`` said; of nothing: what is common is overdrawn."""
        self.used += 1
        if payer is not None and payer != COMMON:
            self.spent[payer] += 1

    def restore(self, used: int, known: Iterable[tuple[Spender, int]] = ()) -> None:
        """``used`` are spent, of which it is ``known`` by whom these were: each once.

        They count as if they had come one after another; the rest is common.
        """
        self.used = left = used
        self.spent = [0] * len(self.sizes)
        for spender, amount in known if used and self.sizes else ():
            for number, reserve in enumerate(self.reserves):
                if is_member(reserve, spender):
                    paid = min(amount, left, self.sizes[number] - self.spent[number])
                    self.spent[number] += paid
                    amount, left = amount - paid, left - paid


def is_member(reserve: Reserve, spender: Spender) -> bool:
    """Whether ``reserve`` is for ``spender``."""
    return spender.network in reserve.networks or spender.user in reserve.users


def _size(limit: int, reserve: Reserve) -> int:
    """The whole requests in a share. What floats lack of a whole number is not a request less."""
    return int(limit * reserve.share / 100 + 1e-6)
