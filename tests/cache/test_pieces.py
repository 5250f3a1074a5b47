"""Tests of the set of intervals, against a set of numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.cache.pieces import Pieces

SIZE = 40


@st.composite
def intervals(draw: st.DrawFn) -> tuple[int, int]:
    start = draw(st.integers(0, SIZE))
    return start, draw(st.integers(start, SIZE))


def numbers(pairs: list[tuple[int, int]]) -> set[int]:
    return {number for start, end in pairs for number in range(start, end)}


@given(st.lists(intervals()), intervals())
def test_it_is_what_a_set_of_numbers_is(
    added: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    """Membership, gaps, runs, totals."""
    pieces, model = Pieces(SIZE, added), numbers(added)
    assert numbers(list(pieces)) == model
    assert pieces.total == len(model)
    assert pieces.is_whole == (len(model) == SIZE)
    assert numbers(pieces.missing(*asked)) == numbers([asked]) - model
    start = asked[0]
    run = next((end for end in range(start, SIZE) if end not in model), SIZE) - start
    assert pieces.available(start) == run


@given(st.lists(intervals()), intervals())
def test_intervals_are_sorted_and_apart(
    added: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    """What touches is one, and nothing is empty; so are the gaps."""
    pieces = Pieces(SIZE, added)
    for found in (list(pieces), pieces.missing(*asked)):
        assert all(start < end for start, end in found)
        assert all(one[1] < other[0] for one, other in pairwise(found))


@given(st.lists(intervals()))
def test_text_and_back(added: list[tuple[int, int]]) -> None:
    """``parse`` is the inverse of ``serialise``."""
    pieces = Pieces(SIZE, added)
    assert list(Pieces.parse(SIZE, pieces.serialise())) == list(pieces)


@given(st.text(alphabet="0123456789-, \n", max_size=12) | st.text(max_size=12))
def test_any_text_is_pieces_or_an_error(text: str) -> None:
    """Never another exception, never bytes outside the blob."""
    try:
        pieces = Pieces.parse(SIZE, text)
    except ValueError:
        return
    assert numbers(list(pieces)) <= set(range(SIZE))


@pytest.mark.parametrize("text", ["5", "5-", "-5", "9-5", "0-41", "0-5,", "0-5 ", "٣-٤", "0-5-6"])
def test_other_text_is_refused(text: str) -> None:
    """Each for a reason of its own."""
    with pytest.raises(ValueError, match=r"interval|within"):
        Pieces.parse(SIZE, text)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 4), (0, SIZE + 1)])
def test_what_is_outside_is_refused(start: int, end: int) -> None:
    """Before anything changes."""
    pieces = Pieces(SIZE)
    with pytest.raises(ValueError, match="within"):
        pieces.add(start, end)
    with pytest.raises(ValueError, match="within"):
        pieces.missing(start, end)
    assert pieces.total == 0


def test_an_empty_blob_is_whole() -> None:
    """Nothing of it is missing."""
    assert Pieces(0).is_whole
    assert Pieces(0).missing(0, 0) == []
