"""The ``Range`` that the blob host reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import integers, text

from hubmirror.demo.ranges import Unsatisfiable, parse_range


@pytest.mark.parametrize(
    ("field", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=3-", (3, 10)),
        ("bytes=-4", (6, 10)),
        ("bytes=-40", (0, 10)),
        ("bytes=5-99", (5, 10)),
        (None, None),
        ("bytes=0-1,3-4", None),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("lines=1-2", None),
    ],
)
def test_spans(field: str | None, span: tuple[int, int] | None) -> None:
    """One span is read; anything else asks for the whole."""
    assert parse_range(field, 10) == span


@pytest.mark.parametrize("field", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_unsatisfiable(field: str) -> None:
    """A span with none of the bytes."""
    with pytest.raises(Unsatisfiable):
        parse_range(field, 10)


@given(text(alphabet="bytes=-,0123456789 "), integers(0, 100))
def test_any_span_lies_within(field: str, size: int) -> None:
    """Whatever the field says, the span holds some of the bytes there are."""
    try:
        span = parse_range(field, size)
    except Unsatisfiable:
        return
    assert span is None or 0 <= span[0] < span[1] <= size
