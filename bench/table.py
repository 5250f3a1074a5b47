"""A row of the benchmark as text."""

from __future__ import annotations

from collections.abc import Sequence

from bench.results import Row, Series

__all__ = ["text_table"]

_HEADINGS = ("quantity", "peer", "median", "min-max", "", "ratio", "aim")


def text_table(row: Row) -> str:
    """``row`` as lines of aligned columns, a series each, headings first."""
    lines = [_HEADINGS, *map(_cells, row.series)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_aligned(cells, widths) for cells in lines)


def _cells(series: Series) -> tuple[str, ...]:
    samples = series.samples
    spread = f"{_number(min(samples))}-{_number(max(samples))}"
    return (
        series.quantity,
        series.peer,
        _number(series.median),
        spread,
        series.unit,
        _ratio(series),
        _aim(series),
    )


def _ratio(series: Series) -> str:
    base = series.base
    if series.ratio is None or base is None:
        return ""
    # A peer that is compared with itself is so under other circumstances.
    return f"{series.ratio:.2f} x {base.quantity if base.peer == series.peer else base.peer}"


def _aim(series: Series) -> str:
    if series.aim is None:
        return ""
    return f"<= {series.aim.most:.3g}: {'met' if series.meets_aim else 'missed'}"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
