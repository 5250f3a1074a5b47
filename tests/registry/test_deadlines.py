"""Times that are up, of many who share a timer."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from hubmirror.registry.deadlines import Deadlines


def test_each_has_its_time() -> None:
    """Also who began while others waited, and who began again."""
    clock = Clock()
    over: list[str] = []
    queue = Deadlines(clock).queue(10, over.append)
    queue.begin("a")
    clock.advance(4)
    queue.begin("b")
    queue.begin("c")
    clock.advance(2)
    queue.begin("b")
    clock.advance(3.99)
    assert over == []
    clock.advance(0.01)
    assert over == ["a"]
    clock.advance(4)
    assert over == ["a", "c"]
    clock.advance(2)
    assert over == ["a", "c", "b"]
    assert clock.getDelayedCalls() == []


def test_who_waits_no_more_is_let_be() -> None:
    """Also who never did; when nobody waits, nothing is left in the clock."""
    clock = Clock()
    over: list[str] = []
    queue = Deadlines(clock).queue(10, over.append)
    queue.end("nobody")
    queue.begin("a")
    queue.begin("b")
    queue.end("a")
    clock.advance(10)
    assert over == ["b"]
    queue.begin("c")
    queue.end("c")
    assert clock.getDelayedCalls() == []


def test_one_timer_for_all() -> None:
    """However many wait, and for two lengths two."""
    clock = Clock()
    over: list[int] = []
    deadlines = Deadlines(clock)
    for number in range(1000):
        deadlines.queue(10, over.append).begin(number)
        deadlines.queue(20, over.append).begin(number)
    assert len(clock.getDelayedCalls()) == 2


def test_work_may_begin_and_end_others() -> None:
    """Whoever begins when a time is up waits for all of its own, and nobody longer for it."""
    clock = Clock()
    over: list[str] = []

    def work(waiter: str) -> None:
        over.append(waiter)
        queue.end("ended")
        if waiter == "a":
            queue.begin("a")

    queue = Deadlines(clock).queue(10, work)
    queue.begin("a")
    queue.begin("ended")
    clock.advance(5)
    queue.begin("b")
    clock.advance(5)
    assert over == ["a"]
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(5)
    assert over == ["a", "b"]
    clock.advance(5)
    assert over == ["a", "b", "a"]


def test_a_defect_harms_no_other() -> None:
    """What one's work raises is the reactor's to tell; the others' time comes all the same."""
    clock = Clock()
    over: list[str] = []

    def work(waiter: str) -> None:
        if waiter == "defect":
            raise ZeroDivisionError
        over.append(waiter)

    queue = Deadlines(clock).queue(10, work)
    queue.begin("defect")
    queue.begin("a")
    with pytest.raises(ZeroDivisionError):
        clock.advance(10)
    clock.advance(0)
    assert over == ["a"]
