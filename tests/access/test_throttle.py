"""Tests of how guessing is slowed down."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from hubmirror.access.throttle import FORGIVEN, FREE, LONGEST_WAIT, TOGETHER, Throttle

HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock.seconds, limit=100)


def fail(throttle: Throttle, address: str = HERE, times: int = 1) -> None:
    for _ in range(times):
        assert throttle.begin(address)
        throttle.end(address, has_failed=True)


def test_each_failure_costs_more(clock: Clock, throttle: Throttle) -> None:
    """The first ones nothing; and no other address pays."""
    fail(throttle, times=FREE)
    assert throttle.wait(HERE) == 0
    waits = []
    for _ in range(14):
        fail(throttle)
        waits.append(throttle.wait(HERE))
        clock.advance(waits[-1])
        assert throttle.wait(HERE) == 0
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == LONGEST_WAIT
    assert throttle.wait(THERE) == 0


def test_what_is_right_forgives_nothing(throttle: Throttle) -> None:
    """Who has one password must not be able to guess at others for ever."""
    fail(throttle, times=FREE)
    assert throttle.begin(HERE)
    throttle.end(HERE, has_failed=False)
    fail(throttle)
    assert throttle.wait(HERE) > 0


def test_it_is_forgiven_after_a_while(clock: Clock, throttle: Throttle) -> None:
    fail(throttle, times=FREE)
    clock.advance(FORGIVEN + 1)
    fail(throttle, times=FREE)
    assert throttle.wait(HERE) == 0


def test_a_whole_64_of_ipv6_is_one(throttle: Throttle) -> None:
    for number in range(FREE + 1):
        fail(throttle, f"2001:db8::{number}")
    assert throttle.wait("2001:db8::ffff") > 0
    assert throttle.wait("2001:db8:0:1::1") == 0


def test_guesses_at_the_same_time_are_few(throttle: Throttle) -> None:
    """And one at a time from whom failures are known."""
    assert [throttle.begin(HERE) for _ in range(TOGETHER + 1)] == [True] * TOGETHER + [False]
    for _ in range(TOGETHER):
        throttle.end(HERE, has_failed=True)
    assert [throttle.begin(HERE), throttle.begin(HERE)] == [True, False]
    assert throttle.begin(THERE)


@settings(max_examples=10)
@given(st.lists(st.integers(0, 1000), min_size=50, max_size=100, unique=True))
def test_memory_has_a_bound(numbers: list[int]) -> None:
    """The latest are known, and no others."""
    throttle = Throttle(Clock().seconds, limit=10)
    addresses = [f"10.0.{number // 256}.{number % 256}" for number in numbers]
    for address in addresses:
        fail(throttle, address, times=FREE + 1)
    known = [address for address in addresses if throttle.wait(address) > 0]
    assert known == addresses[-10:]
