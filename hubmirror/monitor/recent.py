"""What was found out a moment ago: many may ask, and the looking costs the same."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["Recent"]

T = TypeVar("T")


class Recent(Generic[T]):
    """What ``look`` finds. All who ask at the same time share one look; what it found is given

    for ``keep`` seconds. None where it fails, or has not come to its end ``patience`` seconds
    after its begin: until it does, nobody waits for it again, and no other is begun.
    """

    _log = Logger()

    def __init__(
        self,
        look: Callable[[], Coroutine[Any, Any, T]],
        clock: IReactorTime,
        *,
        keep: float,
        patience: float,
    ) -> None:
        self._look = look
        self._clock = clock
        self._keep = keep
        self._patience = patience
        self._found: T | None = None
        self._found_at = float("-inf")
        self._is_looking = False
        self._is_late = False
        self._waiting: list[Deferred[T | None]] = []

    def get(self) -> Deferred[T | None]:
        """What was found. Cancelling it ends the waiting of this caller alone."""
        if self._is_late:
            return succeed(None)
        if not self._is_looking:
            if 0 <= self._clock.seconds() - self._found_at < self._keep:
                return succeed(self._found)
            return self._begin()
        return self._wait()

    def _begin(self) -> Deferred[T | None]:
        self._is_looking = True
        waiter = self._wait()
        timer = self._clock.callLater(self._patience, self._lose_patience)
        Deferred.fromCoroutine(self._look()).addBoth(self._arrive, timer)
        return waiter

    def _wait(self) -> Deferred[T | None]:
        waiter: Deferred[T | None] = Deferred(self._leave)
        self._waiting.append(waiter)
        return waiter

    def _leave(self, waiter: Deferred[T | None]) -> None:
        self._waiting.remove(waiter)
        waiter.errback(CancelledError())

    def _lose_patience(self) -> None:
        self._is_late = True
        self._tell(None)

    def _arrive(self, result: T | Failure, timer: IDelayedCall) -> None:
        if timer.active():
            timer.cancel()
        if isinstance(result, Failure):
            self._log.failure("looking failed", failure=result)
            self._found = None
        else:
            self._found = result
        self._found_at = self._clock.seconds()
        self._is_looking = self._is_late = False
        self._tell(self._found)

    def _tell(self, found: T | None) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(found)
