"""The ratios as a picture: bars beside their aims, in SVG, for light pages and dark ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from statistics import median
from xml.sax.saxutils import escape

from bench.results import Row, Series
from bench.table import number

__all__ = ["chart"]

_WIDTH, _LEFT, _RIGHT = 900, 390, 90
_LINE, _HEAD, _TOP, _BAR, _GAP = 20, 30, 64, 12, 30

_STYLE = """\
svg { background: #fff; font: 12px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 } .small { fill: #59636e } .grid { stroke: #d1d9e0 }
.one { stroke: #59636e } .met { fill: #2f7d4f } .missed { fill: #bf5b16 }
.none { fill: #6e7f91 } .aim { stroke: #1f2328; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
svg { background: #0d1117; fill: #e6edf3 }
.small { fill: #9198a1 } .grid { stroke: #30363d } .one { stroke: #9198a1 }
.met { fill: #4fae78 } .missed { fill: #e0894a } .none { fill: #7d8b99 }
.aim { stroke: #e6edf3 }
}"""


def chart(rows: Sequence[Row]) -> str:
    """Our series of ``rows`` that are compared with another peer, a bar each; an SVG document.

    Bars begin at 1, on a scale of powers of ten: to the right is better than the other.
    """
    shown = [(row.name, found) for row in rows if (found := list(_shown(row)))]
    scale = _Scale([value for _, found in shown for one in found for value in _values(one)])
    parts: list[str] = []
    y = _TOP
    for name, found in shown:
        parts.append(_text(12, y + 14, name, "head"))
        y += _HEAD
        for series in found:
            parts += _bar(series, y, scale)
            y += _LINE
    return "\n".join([_opening(y + 16), *_axis(scale, y), *parts, "</svg>"]) + "\n"


class _Scale:
    """From values to places on the page; it begins and ends at a power of ten."""

    def __init__(self, values: Sequence[float]) -> None:
        self.first = min([-1, *(floor(log10(value)) for value in values)])
        self.last = max([1, *(ceil(log10(value)) for value in values)])

    def place(self, value: float) -> float:
        width = _WIDTH - _LEFT - _RIGHT
        share = (log10(value) - self.first) / (self.last - self.first)
        return _LEFT + share * width


def _shown(row: Row) -> Iterator[Series]:
    for series in row.series:
        base = series.base
        if series.is_ours and base is not None and not base.is_ours and (series.ratio or 0) > 0:
            yield series


def _values(series: Series) -> Iterator[float]:
    yield _better(series, median(series.ratios))
    if series.aim is not None:
        yield from (_better(series, bound) for bound in _bounds(series))


def _bounds(series: Series) -> Iterator[float]:
    if series.aim is not None:
        yield from (bound for bound in (series.aim.least, series.aim.most) if bound is not None)


def _better(series: Series, ratio: float) -> float:
    """How many times as good: seconds and the like are turned over."""
    return ratio if series.more_is_better else 1 / ratio


def _bar(series: Series, y: float, scale: _Scale) -> Iterator[str]:
    ratio = median(series.ratios)
    value = _better(series, ratio)
    one, end = scale.place(1), scale.place(value)
    look = {True: "met", False: "missed", None: "none"}[series.meets_aim]
    words = f"{series.quantity}{series.peer.removeprefix('hubmirror')}, beside {series.other}"
    yield _text(24, y + 11, words)
    yield (
        f'<rect class="{look}" x="{min(one, end):.1f}" y="{y + 1}"'
        f' width="{max(abs(end - one), 1):.1f}" height="{_BAR}"/>'
    )
    for bound in _bounds(series):
        x = scale.place(_better(series, bound))
        yield f'<path class="aim" d="M{x:.1f} {y - 2}v{_BAR + 6}"/>'
    yield _text(_WIDTH - _RIGHT + _GAP, y + 11, f"{number(ratio)} x")


def _axis(scale: _Scale, bottom: float) -> Iterator[str]:
    yield _text(12, 20, "hubmirror beside others: to the right is better", "head")
    yield _text(
        12, 38, "Marks are the aims. Green meets its aim, orange misses it, grey has none.", "small"
    )
    for power in range(scale.first, scale.last + 1):
        x = scale.place(10.0**power)
        look = "one" if power == 0 else "grid"
        yield f'<path class="{look}" d="M{x:.1f} {_TOP}V{bottom}"/>'
        words = f"{10**power} x" if power >= 0 else f"1/{10**-power}"
        yield _text(x - 8, _TOP - 8, words, "small")
    yield _text(_WIDTH - _RIGHT + _GAP, _TOP - 8, "ratio", "small")


def _opening(height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">\n'
        f"<title>hubmirror beside its peers</title>\n<style>\n{_STYLE}\n</style>\n"
        f'<rect width="{_WIDTH}" height="{height}" style="fill: none"/>'
    )


def _text(x: float, y: float, words: str, look: str = "") -> str:
    styled = f' class="{look}"' if look else ""
    return f'<text{styled} x="{x:.0f}" y="{y:.0f}">{escape(words)}</text>'
