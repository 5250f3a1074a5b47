"""Ranges of bodies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.mirror.ranges import RangeNotSatisfiable, parse_range


@pytest.mark.parametrize(
    ("value", "span"),
    [
        (None, None),
        ("bytes=0-", (0, 10)),
        ("bytes=0-0", (0, 1)),
        ("bytes=3-5", (3, 6)),
        ("bytes=3-99", (3, 10)),
        ("bytes=9-", (9, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("BYTES=1-2", (1, 3)),
        ("bytes=5-3", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes = 0-1", None),
    ],
)
def test_parses(value: str | None, span: tuple[int, int] | None) -> None:
    """One range is a span; what may be ignored is."""
    assert parse_range(value, 10) == span


@pytest.mark.parametrize("value", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_outside(value: str) -> None:
    """No byte of it is there: 416, and how long the body is."""
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(value, 10)
    assert caught.value.headers == {"Content-Range": "bytes */10"}


def test_of_an_empty_body() -> None:
    """It has no byte that could be asked for."""
    with pytest.raises(RangeNotSatisfiable):
        parse_range("bytes=0-", 0)


@given(st.integers(0, 10**20), st.integers(0, 10**20), st.integers(1, 10**15))
def test_a_span_lies_within(first: int, last: int, size: int) -> None:
    """Whatever numbers come."""
    try:
        span = parse_range(f"bytes={first}-{last}", size)
    except RangeNotSatisfiable:
        return
    assert span is None or 0 <= span[0] < span[1] <= size
