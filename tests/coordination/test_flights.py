"""What many ask for at once is asked once."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from hubmirror.coordination.flights import Flights


class Work:
    """Work that ends when the test says so."""

    def __init__(self) -> None:
        self.begun = 0
        self.was_cancelled = False
        self.end: Deferred[Any] = Deferred()

    async def run(self) -> Any:
        self.begun += 1
        try:
            return await self.end
        except CancelledError:
            self.was_cancelled = True
            raise


def outcome(waiter: Deferred[Any]) -> list[Any]:
    results: list[Any] = []
    waiter.addCallbacks(results.append, lambda failure: results.append(failure.type))
    return results


def test_all_get_the_result_of_one() -> None:
    """Each by a Deferred of its own."""
    flights, work = Flights(), Work()
    results = [outcome(flights.join("key", work.run)) for _ in range(3)]
    work.end.callback(42)
    assert results == [[42], [42], [42]]
    assert work.begun == 1


def test_all_get_the_failure_of_one() -> None:
    """And the next one to ask begins anew."""
    flights, work = Flights(), Work()
    results = [outcome(flights.join("key", work.run)) for _ in range(2)]
    work.end.errback(ValueError())
    assert results == [[ValueError], [ValueError]]
    again = Work()
    again.end.callback(1)
    assert outcome(flights.join("key", again.run)) == [1]


def test_keys_are_apart() -> None:
    """Another key is other work."""
    flights, one, other = Flights(), Work(), Work()
    flights.join("one", one.run).addErrback(lambda _: None)
    flights.join("other", other.run).addErrback(lambda _: None)
    assert (one.begun, other.begun) == (1, 1)


def test_who_leaves_leaves_the_others_alone() -> None:
    """Only the last one's leaving ends the work."""
    flights, work = Flights(), Work()
    first, second = flights.join("key", work.run), flights.join("key", work.run)
    results = [outcome(first), outcome(second)]
    first.cancel()
    assert results == [[CancelledError], []]
    assert not work.was_cancelled
    second.cancel()
    assert work.was_cancelled
    again = Work()
    flights.join("key", again.run).addErrback(lambda _: None)
    assert again.begun == 1


def test_work_that_is_done_at_once() -> None:
    """A coroutine that waits for nothing."""
    flights = Flights()

    async def run() -> int:
        return 7

    assert outcome(flights.join("key", run)) == [7]
    assert outcome(flights.join("key", run)) == [7]


@pytest.mark.parametrize("result", [None, 0, []])
def test_any_result_will_do(result: object) -> None:
    """Also one that is false."""
    flights, work = Flights(), Work()
    results = outcome(flights.join("key", work.run))
    work.end.callback(result)
    assert results == [result]
