"""Rows as text and as Markdown."""

from __future__ import annotations

import pytest

from bench.results import Aim, Row, Series
from bench.table import markdown_table, number, text_table

DIRECT = Series("wall", "direct", "s", (1.0, 2.0, 4.0))
MIRROR = Series("wall", "hubmirror", "s", (1.1, 2.2, 4.4), DIRECT, Aim(1.05))


def words(line: str) -> str:
    """The line without its alignment."""
    return " ".join(line.split())


def test_a_line_names_the_base_and_whether_the_aim_is_met() -> None:
    """Each line can be read alone."""
    line = text_table(Row("cold", [MIRROR, DIRECT])).splitlines()[1]
    assert words(line) == "wall hubmirror 2.2 1.1-4.4 s 1.1 x direct 1.1-1.1 <= 1.05: missed"


def test_a_peer_compared_with_itself_names_the_quantity() -> None:
    """Its own name would say nothing."""
    alone = Series("1 reader", "hubmirror", "s", (1.0,))
    last = Series("last of 16", "hubmirror", "s", (1.1,), alone)
    assert "1.1 x 1 reader" in text_table(Row("readers", [alone, last]))


def test_notes_stand_below() -> None:
    """What was left out must not be overlooked."""
    assert text_table(Row("cold", [DIRECT], ["nginx: skipped"])).endswith("\nnginx: skipped")


def test_markdown_has_what_is_of_ours_and_compared() -> None:
    """With the peer's own median beside it; in bold where it misses its aim."""
    lines = markdown_table([Row("cold", [MIRROR, DIRECT])]).splitlines()
    assert lines[2:] == ["| `cold` | wall | 2.2 s | direct: 2 s | **1.1 x** | 1.1-1.1 | <= 1.05 |"]


def test_markdown_tells_of_values_that_have_no_base() -> None:
    """Their spread is their own, and other workers are told apart."""
    resident = Series("RSS", "hubmirror, 2 workers", "MiB", (90.0, 91.0), aim=Aim(80))
    (line,) = markdown_table([Row("rest", [resident])]).splitlines()[2:]
    assert line == "| `rest` | RSS, 2 workers | **90.5 MiB** |  |  | 90-91 | <= 80 |"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (99.94, "99.9"), (1234.5, "1234"), (33_333.3, "33,333"), (-0.5, "-0.5")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    """Or all that stand before the point."""
    assert number(value) == text
