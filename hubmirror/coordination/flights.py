"""Single flight: what many ask for at once is asked once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

__all__ = ["Flights", "IFlights"]

T = TypeVar("T")


class IFlights(Interface):
    """Work that is shared by all who want its result at the same time."""

    def join(key: Hashable, begin: Callable[[], Coroutine[Any, Any, Any]]) -> Deferred[Any]:
        """The result of the work ``key``, begun by ``begin`` unless it is under way.

        Each caller has a Deferred of its own: cancelling it leaves the others alone, and the
        last one's leaving cancels the work.
        """


@implementer(IFlights)
class Flights:
    """The form within one process."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    def join(self, key: Hashable, begin: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """See ``IFlights``."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            waiter = flight.wait()
            flight.work = Deferred.fromCoroutine(begin())
            flight.work.addBoth(self._land, key, flight)
            return waiter
        return flight.wait()

    def _land(self, result: Any, key: Hashable, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.land(result)


@define(eq=False)
class _Flight:
    work: Deferred[Any] | None = None
    _waiting: list[Deferred[Any]] = field(factory=list)

    def wait(self) -> Deferred[Any]:
        waiter: Deferred[Any] = Deferred(self._leave)
        self._waiting.append(waiter)
        return waiter

    def land(self, result: Any) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if isinstance(result, Failure):
                waiter.errback(result)
            else:
                waiter.callback(result)

    def _leave(self, waiter: Deferred[Any]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        if not self._waiting and self.work is not None:
            self.work.cancel()
        waiter.errback(CancelledError())
