"""Medians, ratios and aims, and the file that keeps them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.results import Aim, Row, Series, read, write

DIRECT = Series("wall", "direct", "s", (1.0, 2.0, 4.0))
MIRROR = Series("wall", "hubmirror", "s", (1.1, 2.2, 4.4), DIRECT, Aim(1.05))


def test_a_ratio_is_taken_within_each_round() -> None:
    """A machine that slows down slows both: the ratio does not change."""
    assert MIRROR.median == 2.2
    assert MIRROR.ratios == pytest.approx((1.1, 1.1, 1.1))
    assert MIRROR.ratio == pytest.approx(1.1)


@pytest.mark.parametrize(("most", "met"), [(1.05, False), (1.2, True)])
def test_with_a_base_the_aim_is_for_the_ratio(most: float, met: bool) -> None:
    """The value itself (2.2 s) plays no part."""
    assert Series("wall", "hubmirror", "s", (1.1, 2.2, 4.4), DIRECT, Aim(most)).meets_aim is met


@pytest.mark.parametrize(("most", "met"), [(54.0, False), (80.0, True)])
def test_without_a_base_the_aim_is_for_the_value(most: float, met: bool) -> None:
    """As for memory."""
    assert Series("RSS", "hubmirror", "MiB", (55.0, 54.0, 56.0), aim=Aim(most)).meets_aim is met


@pytest.mark.parametrize(
    ("aim", "value", "met"),
    [
        (Aim(least=0.5), 0.5, True),
        (Aim(least=0.5), 0.49, False),
        (Aim(most=2.0), 2.0, True),
        (Aim(most=2.0), 2.1, False),
        (Aim(most=2.0, least=1.0), 0.9, False),
    ],
)
def test_an_aim_is_a_bound_that_counts_as_within(aim: Aim, value: float, met: bool) -> None:
    """From above, from below, or both."""
    assert aim.is_met(value) is met


@pytest.mark.parametrize(
    ("unit", "aim", "more"),
    [
        ("GB/s", None, True),
        ("s/GB", None, False),
        ("MiB", Aim(80), False),
        ("of all", Aim(least=1), True),
    ],
)
def test_more_is_better_of_what_is_done_in_a_second(unit: str, aim: Aim | None, more: bool) -> None:
    """And where at least so much is aimed at."""
    assert Series("it", "hubmirror", unit, (1.0,), aim=aim).more_is_better is more


def test_rounds_that_do_not_match_are_a_defect() -> None:
    """A series can't be compared with one of other rounds."""
    with pytest.raises(ValueError, match="argument 2"):
        _ = Series("wall", "hubmirror", "s", (1.0,), DIRECT).ratio


def test_a_row_is_written_with_all_its_samples(tmp_path: Path) -> None:
    """Whoever doubts a median can take another."""
    path = write(Row("cold", [DIRECT]), tmp_path / "results", {"processors": 2})
    found = json.loads(path.read_text())
    assert path.name == "cold.json"
    assert found["series"][0]["samples"] == [1.0, 2.0, 4.0]


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    """Bases, aims, notes and the machine included."""
    least = Series("rate", "hubmirror", "/s", (7.0,), aim=Aim(least=5))
    row = Row("cold", (MIRROR, DIRECT, least), ("a note",), {"processors": 2})
    path = write(row, tmp_path, row.machine)
    assert read(path.read_text()) == row


@pytest.mark.parametrize("text", ["[]", "{}", "not JSON", '{"row": "x", "series": [{}]}'])
def test_what_is_no_result_is_an_error(text: str) -> None:
    """One that says so."""
    with pytest.raises(ValueError, match=r"no results|Expecting value"):
        read(text)
