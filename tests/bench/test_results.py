"""Medians, ratios and aims, and the file that keeps them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.results import Aim, Row, Series, write
from bench.table import text_table

DIRECT = Series("wall", "direct", "s", (1.0, 2.0, 4.0))


def test_a_ratio_is_taken_within_each_round() -> None:
    """A machine that slows down slows both: the ratio does not change."""
    mirror = Series("wall", "hubmirror", "s", (1.1, 2.2, 4.4), DIRECT)
    assert mirror.median == 2.2
    assert mirror.ratio == pytest.approx(1.1)


@pytest.mark.parametrize(("most", "met"), [(1.05, False), (1.2, True)])
def test_with_a_base_the_aim_is_for_the_ratio(most: float, met: bool) -> None:
    """The value itself (2.2 s) plays no part."""
    assert Series("wall", "hubmirror", "s", (1.1, 2.2, 4.4), DIRECT, Aim(most)).meets_aim is met


@pytest.mark.parametrize(("most", "met"), [(54.0, False), (80.0, True)])
def test_without_a_base_the_aim_is_for_the_value(most: float, met: bool) -> None:
    """As for memory."""
    assert Series("RSS", "hubmirror", "MiB", (55.0, 54.0, 56.0), aim=Aim(most)).meets_aim is met


def test_rounds_that_do_not_match_are_a_defect() -> None:
    """A series can't be compared with one of other rounds."""
    with pytest.raises(ValueError, match="argument 2"):
        _ = Series("wall", "hubmirror", "s", (1.0,), DIRECT).ratio


def test_a_row_is_written_with_all_its_samples(tmp_path: Path) -> None:
    """Whoever doubts a median can take another."""
    path = write(Row("blob", [DIRECT]), tmp_path / "results")
    found = json.loads(path.read_text())
    assert path.name == "blob.json"
    assert found["series"][0]["samples"] == [1.0, 2.0, 4.0]


def test_a_table_names_the_base_and_whether_the_aim_is_met() -> None:
    """Each line can be read alone."""
    mirror = Series("wall", "hubmirror", "s", (1.1, 2.2, 4.4), DIRECT, Aim(1.05))
    line = text_table(Row("blob", [mirror, DIRECT])).splitlines()[1]
    assert " ".join(line.split()) == "wall hubmirror 2.2 1.1-4.4 s 1.10 x direct <= 1.05: missed"


def test_a_peer_compared_with_itself_names_the_quantity() -> None:
    """Its own name would say nothing."""
    alone = Series("1 reader", "hubmirror", "s", (1.0,))
    last = Series("last of 16", "hubmirror", "s", (1.1,), alone)
    assert "1.10 x 1 reader" in text_table(Row("readers", [alone, last]))
