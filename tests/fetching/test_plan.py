"""Which bytes a connection brings next: who runs out first is served first, nothing twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.cache.pieces import Pieces
from hubmirror.fetching.plan import Plan


def _plan(*there: tuple[int, int], size: int = 100, piece: int = 10) -> Plan:
    return Plan(size, piece, Pieces(size, there).missing)


def test_from_the_front() -> None:
    """When nobody waits."""
    plan = _plan((0, 5), (12, 20))
    assert [plan.take([]) for _ in range(4)] == [(5, 12), (20, 30), (30, 40), (40, 50)]


@pytest.mark.parametrize(
    ("wanted", "span"),
    [
        ([(50, 60)], (50, 60)),
        ([(55, 100)], (55, 65)),
        ([(0, 100), (70, 80)], (70, 80)),  # the first has 20 bytes before it, the second none
        ([(70, 80), (30, 40)], (70, 80)),  # both wait: as they came
        ([(0, 15)], (20, 30)),  # it has all it wants
        ([(95, 100)], (95, 100)),
        ([(100, 100)], (20, 30)),
    ],
)
def test_who_runs_out_first(wanted: list[tuple[int, int]], span: tuple[int, int]) -> None:
    """The distance from where a reader is to its first gap decides."""
    assert _plan((0, 20)).take(wanted) == span


def test_what_is_taken_is_nobody_elses() -> None:
    """Until it is given back."""
    plan = _plan(size=30)
    plan.reserve((5, 15))
    taken = [plan.take([]) for _ in range(4)]
    assert taken == [(0, 5), (15, 25), (25, 30), None]
    plan.give_back((5, 15))
    assert plan.take([(10, 12)]) == (10, 15)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 100)), max_size=5), st.integers(1, 50))
def test_all_of_it_and_nothing_twice(wanted: list[tuple[int, int]], piece: int) -> None:
    """Whatever readers want, the spans tile the blob."""
    plan = _plan((20, 30), piece=piece)
    spans = list(iter(lambda: plan.take(wanted), None))
    assert all(0 < end - start <= piece for start, end in spans)
    places = sorted(place for start, end in spans for place in range(start, end))
    assert places == [*range(20), *range(30, 100)]
