"""Work that is begun at once."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure

from hubmirror.registry.starting import start


class Work:
    """Waits for each of ``steps``; what it is told of them stays readable."""

    def __init__(self, *steps: Deferred[Any]) -> None:
        self.steps = steps
        self.told: list[object] = []

    async def run(self) -> list[object]:
        """Wait for them, one by one; a ``KeyError`` is taken note of, too."""
        for step in self.steps:
            try:
                self.told.append(await step)
            except KeyError as error:
                self.told.append(error.args)
        return self.told


def test_what_need_not_wait_is_there_at_once() -> None:
    """Also where it has awaited what was at hand."""
    done = start(Work(succeed(1), succeed(2)).run())
    assert done.called
    assert done.result == [1, 2]


def test_what_has_to_wait_goes_on() -> None:
    """With each result as it comes, failures included; what is at hand meanwhile is taken."""
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()
    third: Deferred[int] = Deferred()
    work = Work(succeed(0), first, second, succeed(3), third)
    done = start(work.run())
    assert work.told == [0]
    first.callback(1)
    second.errback(KeyError("two"))
    assert work.told == [0, 1, ("two",), 3]
    assert not done.called
    third.callback(4)
    assert done.result == [0, 1, ("two",), 3, 4]


@pytest.mark.parametrize("waits", [False, True])
def test_failures_are_told(waits: bool) -> None:
    """At once or later."""
    step: Deferred[None] = Deferred() if waits else succeed(None)

    async def fails() -> None:
        await step
        raise ValueError("so")

    done = start(fails())
    if waits:
        step.callback(None)
    failures: list[Failure] = []
    done.addErrback(failures.append)
    assert [failure.type for failure in failures] == [ValueError]


def test_who_does_not_want_it_any_more_cancels_what_it_waits_for() -> None:
    """It is told, and may clean up; what it did not wait for any more is let be."""
    cancelled: list[object] = []
    step: Deferred[None] = Deferred(cancelled.append)
    cleaned: list[str] = []

    async def wait() -> None:
        try:
            await succeed(None)
            await step
        finally:
            cleaned.append("up")

    done = start(wait())
    done.cancel()
    failures: list[Failure] = []
    done.addErrback(failures.append)
    assert (cancelled, cleaned) == ([step], ["up"])
    assert [failure.type for failure in failures] == [CancelledError]
