"""Numbers, times and names of the quota in a terminal."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.cli.operating.quota_words import (
    amount,
    bar,
    fitted,
    moment,
    percent,
    plain,
    span,
    table,
    wrapped,
)

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("library/busybox", "library/busybox"),
        ("\x1b[2J\r\n", r"\x1b[2J\r\n"),
        ("\u202eevil\x9b", r"\u202eevil\x9b"),
        ("jos\xe9", r"jos\xe9"),
        (7, "7"),
    ],
)
def test_plain(text: object, written: str) -> None:
    """What steers a terminal, or looks like what it is not, is escaped."""
    assert plain(text) == written


@given(st.text() | st.characters(categories=["Cs", "Cc", "Cf"]), st.integers(10, 80))
def test_nothing_else_comes_out(text: str, width: int) -> None:
    """Visible ASCII within the width, whatever it is."""
    for line in (fitted(text, width), *wrapped(text, width)):
        assert len(line) <= width
        assert all(" " <= one <= "~" for one in line)


def test_fitted() -> None:
    """A cut can be seen."""
    assert fitted("0123456789", 10) == "0123456789"
    assert fitted("0123456789a", 10) == "01234567.."


def test_numbers() -> None:
    """Shares are rounded down: what is not all of it is no 100 %."""
    assert amount(1234567) == "1,234,567"
    assert (percent(0.999), percent(1.0), percent(0.29)) == ("99 %", "100 %", "29 %")
    assert (span(21600), span(5400)) == ("6 h", "90 min")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2026-01-01T18:20:59Z", "18:20 UTC"),
        ("2026-01-01T00:00:00Z", "00:00 UTC"),
        ("2026-01-02T00:00:00Z", "00:00 UTC"),
        ("2026-01-02T12:01:00Z", "2026-01-02 12:01 UTC"),
        ("2025-12-31T23:59:00Z", "2025-12-31 23:59 UTC"),
    ],
)
def test_moments(written: str, told: str) -> None:
    """With the date where the time alone could be another day's."""
    assert moment(written, NOON) == told


@pytest.mark.parametrize(
    ("parts", "drawn"),
    [
        ([(0.25, "#"), (0.5, ":")], "[##::....]"),
        ([(1.5, "#"), (2.0, ":")], "[########]"),
        ([(-1.0, "#")], "[........]"),
        ([], "[........]"),
    ],
)
def test_bars(parts: list[tuple[float, str]], drawn: str) -> None:
    """What is over the end stays within."""
    assert bar(8, parts) == drawn


def test_tables() -> None:
    """Numbers stand at the right, names are cut; without rows there is none."""
    head, row = table("TODAY", ["A", "B"], [["x" * 99, "1", "2" * 20]])
    assert (len(head), len(row)) == (78, 78)
    assert head.split() == ["TODAY", "A", "B"]
    assert row.split() == ["x" * 52 + "..", "1", "222222222.."]
    assert table("TODAY", ["A"], []) == []
