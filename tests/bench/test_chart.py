"""The picture of the ratios."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from bench.chart import chart
from bench.results import Aim, Row, Series

SVG = "{http://www.w3.org/2000/svg}"


def series(samples: tuple[float, ...], unit: str = "/s", aim: Aim | None = None) -> Series:
    """One of ours, beside an nginx that has 1."""
    return Series(
        "by <tag>", "hubmirror", unit, samples, Series("by <tag>", "nginx", unit, (1.0,)), aim
    )


def drawn(*found: Series) -> ET.Element:
    """The picture of a row of these; it must be well-formed."""
    return ET.fromstring(chart([Row("manifests", found)]))  # noqa: S314 - it is our own


def bars(picture: ET.Element) -> list[tuple[str, float, float]]:
    """Class, begin and end of each."""
    return [
        (
            bar.attrib["class"],
            float(bar.attrib["x"]),
            float(bar.attrib["x"]) + float(bar.attrib["width"]),
        )
        for bar in picture.iter(f"{SVG}rect")
        if "class" in bar.attrib
    ]


def test_a_bar_tells_whether_its_aim_is_met() -> None:
    """By its colour; without an aim it has none."""
    least = Aim(least=0.3)
    picture = drawn(series((0.5,), aim=least), series((0.2,), aim=least), series((0.2,)))
    assert [look for look, _, _ in bars(picture)] == ["met", "missed", "none"]


def test_to_the_right_is_better() -> None:
    """Of rates more, of seconds less; bars begin at 1."""
    (_, _, worse), (_, better, _) = bars(drawn(series((0.5,)), series((0.5,), "s")))
    assert worse == pytest.approx(better, abs=0.2)
    (_, begin, end) = bars(drawn(series((2.0,))))[0]
    assert end > begin


def test_an_aim_is_a_mark_on_its_bar() -> None:
    """Where a value that just meets it would end."""
    picture = drawn(series((0.3,), aim=Aim(least=0.3)))
    ((_, begin, _),) = bars(picture)
    (mark,) = [path for path in picture.iter(f"{SVG}path") if path.attrib["class"] == "aim"]
    assert mark.attrib["d"].startswith(f"M{begin:.1f} ")


def test_what_is_compared_with_itself_or_nothing_is_left_out() -> None:
    """It is about peers."""
    alone = Series("1 reader", "hubmirror", "s", (1.0,))
    assert not bars(drawn(alone, Series("16 readers", "hubmirror", "s", (1.1,), alone)))


def test_it_follows_the_page_and_is_small() -> None:
    """Light or dark; and with as many bars as there are, it is still loaded at once."""
    picture = chart([Row(str(number), [series((0.5,), aim=Aim(1))] * 8) for number in range(12)])
    assert "prefers-color-scheme: dark" in picture
    assert len(picture.encode()) < 40_000


def test_words_are_escaped() -> None:
    """A quantity may have any name."""
    assert any("by <tag>" in (text.text or "") for text in drawn(series((1.0,))).iter(f"{SVG}text"))
