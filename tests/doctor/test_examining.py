"""All checks at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from hubmirror.doctor.examining import blocking, examine
from hubmirror.doctor.findings import Check, Finding, Severity, ok
from hubmirror.errors import HubmirrorError

RIGHT = ok("right", "all right")


async def right() -> Sequence[Finding]:
    """A check that finds nothing wrong."""
    return [RIGHT]


async def hanging() -> Sequence[Finding]:
    """A check that has no end."""
    return await Deferred()


async def broken() -> Sequence[Finding]:
    """A check with a mistake in it."""
    raise ZeroDivisionError("of its own")


async def refused() -> Sequence[Finding]:
    """A check that says why it can't look."""
    raise HubmirrorError("it is so")


def test_one_that_hangs_or_breaks_stops_no_other() -> None:
    """All have their place, in the order of the checks; who hangs has until its own time."""
    clock, results = Clock(), list[list[Finding]]()
    checks = [
        Check("hanging", hanging, 5),
        Check("broken", broken, 5),
        Check("refused", refused, 5),
        Check("right", right, 5),
    ]

    Deferred.fromCoroutine(examine(clock, checks)).addCallback(results.append)
    clock.advance(4.9)
    assert not results
    clock.advance(0.2)

    (found,) = results
    assert [(one.check, one.severity) for one in found] == [
        ("hanging", Severity.FAIL),
        ("broken", Severity.FAIL),
        ("refused", Severity.FAIL),
        ("right", Severity.OK),
    ]
    assert found[0].what == "no result within 5 seconds"
    assert "ZeroDivisionError: of its own" in found[1].what
    assert found[2].what == "it is so"


@pytest_twisted.ensureDeferred
async def test_what_blocks_has_a_thread(reactor: Any) -> None:
    """Also a thread that does not end: nobody waits for it longer than its time."""
    end = Event()

    def never() -> Sequence[Finding]:
        end.wait(30)
        return []

    def fails() -> Sequence[Finding]:
        raise OSError("no such disk")

    checks = [
        blocking(reactor, "never", 0.05, never),
        blocking(reactor, "fails", 5, fails),
        blocking(reactor, "right", 5, lambda: [RIGHT]),
    ]
    try:
        found = await examine(reactor, checks)
    finally:
        end.set()

    assert [one.what.partition(":")[0] for one in found] == [
        "no result within 0.05 seconds",
        "the check itself failed",
        "all right",
    ]
