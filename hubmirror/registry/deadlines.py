"""Whose time is up: many who wait equally long share one timer of the reactor.

A timer for each of ten thousand connections would take as much memory as all else of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Deadlines", "Queue"]

T = TypeVar("T")

#: So early a time may be up, in seconds: floats are not exact.
EARLY: Final = 0.001


class Queue(Generic[T]):
    """Those who wait ``seconds`` each; ``work`` is called with whose time is up.

    The first to come is the first to go, so none but the first needs a timer.
    """

    def __init__(self, clock: IReactorTime, seconds: float, work: Callable[[T], None]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._work = work
        self._ends: OrderedDict[T, float] = OrderedDict()
        self._timer: IDelayedCall | None = None
        self._is_looking = False

    def begin(self, waiter: T) -> None:
        """Its time begins: again, where it had begun."""
        self._ends[waiter] = self._clock.seconds() + self._seconds
        self._ends.move_to_end(waiter)
        if self._timer is None and not self._is_looking:
            self._timer = self._clock.callLater(self._seconds, self._look)

    def end(self, waiter: T) -> None:
        """It waits no more, if it has at all."""
        self._ends.pop(waiter, None)
        if self._timer is not None and not self._ends:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        self._is_looking = True
        now = self._clock.seconds()
        try:
            while self._ends and next(iter(self._ends.values())) <= now + EARLY:
                waiter, _ = self._ends.popitem(last=False)
                self._work(waiter)
        finally:
            self._is_looking = False
            if self._ends:
                first = next(iter(self._ends.values()))
                self._timer = self._clock.callLater(max(0.0, first - now), self._look)


class Deadlines:
    """The queues of all lengths, on one ``clock``."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._queues: dict[tuple[float, Callable[[Any], None]], Queue[Any]] = {}

    def queue(self, seconds: float, work: Callable[[T], None]) -> Queue[T]:
        """The one of those who wait ``seconds`` until ``work``, which is a plain function."""
        found = self._queues.get((seconds, work))
        if found is None:
            found = self._queues[seconds, work] = Queue(self._clock, seconds, work)
        return found
