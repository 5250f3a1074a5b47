"""One look for all who ask."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from hubmirror.monitor.recent import Recent
from tests.conftest import LoggedFailures


class Looks:
    """What is looked for; each look waits until the test ends it."""

    def __init__(self) -> None:
        self.begun: list[Deferred[str]] = []

    async def __call__(self) -> str:
        self.begun.append(Deferred())
        return await self.begun[-1]


@pytest.fixture
def clock() -> Clock:
    """The time, which stands still."""
    return Clock()


@pytest.fixture
def looks() -> Looks:
    """What is looked for."""
    return Looks()


@pytest.fixture
def recent(looks: Looks, clock: Clock) -> Recent[str]:
    """Kept for five seconds, waited for three."""
    return Recent(looks, clock, keep=5, patience=3)


def found(deferred: Deferred[Any]) -> list[Any]:
    """A list to which the result comes."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    return results


def test_all_share_one_look(recent: Recent[str], looks: Looks) -> None:
    """Those who ask while it is looked for get what the first one's look finds."""
    first, second = found(recent.get()), found(recent.get())
    assert (first, second) == ([], [])
    looks.begun[0].callback("it")
    assert (first, second) == (["it"], ["it"])
    assert len(looks.begun) == 1


def test_it_is_kept_for_a_while(recent: Recent[str], looks: Looks, clock: Clock) -> None:
    """Then it is looked for again."""
    found(recent.get())
    looks.begun[0].callback("it")
    clock.advance(4.9)
    assert found(recent.get()) == ["it"]
    clock.advance(0.1)
    assert found(recent.get()) == []
    assert len(looks.begun) == 2


def test_a_clock_that_is_set_back(recent: Recent[str], looks: Looks, clock: Clock) -> None:
    """What was found in its future is not kept until then."""
    clock.advance(1000)
    found(recent.get())
    looks.begun[0].callback("it")
    clock.rightNow = 10.0
    found(recent.get())
    assert len(looks.begun) == 2


def test_nobody_waits_for_ever(recent: Recent[str], looks: Looks, clock: Clock) -> None:
    """After ``patience`` seconds there is nothing, at once for who comes then, and no new look."""
    first = found(recent.get())
    clock.advance(3)
    assert first == [None]
    assert found(recent.get()) == [None]
    assert len(looks.begun) == 1

    looks.begun[0].callback("late")
    assert found(recent.get()) == ["late"]
    assert clock.getDelayedCalls() == []


def test_a_failure_is_nothing(
    recent: Recent[str], looks: Looks, logged_failures: LoggedFailures
) -> None:
    """It is told in the log, and kept like any other find."""
    first = found(recent.get())
    looks.begun[0].errback(ValueError("a defect"))
    assert len(logged_failures.take(ValueError)) == 1
    assert first == [None]
    assert found(recent.get()) == [None]
    assert len(looks.begun) == 1


def test_leaving(recent: Recent[str], looks: Looks) -> None:
    """Who is cancelled leaves alone: the look goes on for the others."""
    leaving, staying = recent.get(), found(recent.get())
    left = found(leaving)
    leaving.cancel()
    assert left[0].check(CancelledError)
    looks.begun[0].callback("it")
    assert staying == ["it"]
