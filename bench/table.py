"""A row of the benchmark as text, and rows as a table of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.results import Row, Series

__all__ = ["markdown_table", "number", "text_table"]

_HEADINGS = ("quantity", "peer", "median", "min-max", "", "ratio", "min-max", "aim")
_MARKDOWN = ("row", "quantity", "hubmirror", "beside", "ratio", "spread", "aim")


def text_table(row: Row) -> str:
    """``row`` as lines of aligned columns, a series each, headings first, then its notes."""
    lines = [_HEADINGS, *map(_cells, row.series)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join([*(_aligned(cells, widths) for cells in lines), *row.notes])


def markdown_table(rows: Sequence[Row]) -> str:
    """What is of ours in ``rows`` and is compared or aimed at; what misses its aim in bold."""
    lines = [_MARKDOWN, ("---",) * len(_MARKDOWN)]
    for row in rows:
        name = f"`{row.name}`"
        for series in row.series:
            if series.is_ours and (series.base is not None or series.aim is not None):
                lines.append((name, *_markdown_cells(series)))
                name = ""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def number(value: float) -> str:
    """Three digits of ``value``, and all before the point."""
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _cells(series: Series) -> tuple[str, ...]:
    return (
        series.quantity,
        series.peer,
        number(series.median),
        _spread(series.samples),
        series.unit,
        "" if series.ratio is None else f"{number(series.ratio)} x {series.other}",
        _spread(series.ratios),
        _aim(series),
    )


def _markdown_cells(series: Series) -> Iterator[str]:
    workers = series.peer.removeprefix("hubmirror")
    value = f"{number(series.median)} {series.unit}"
    yield series.quantity + workers
    if series.base is None or series.ratio is None:
        yield from (_marked(value, series), "", "", _spread(series.samples))
    else:
        yield value
        yield f"{series.other}: {number(series.base.median)} {series.unit}"
        yield _marked(f"{number(series.ratio)} x", series)
        yield _spread(series.ratios)
    yield str(series.aim or "")


def _marked(text: str, series: Series) -> str:
    return f"**{text}**" if series.meets_aim is False else text


def _spread(values: Sequence[float]) -> str:
    return f"{number(min(values))}-{number(max(values))}" if values else ""


def _aim(series: Series) -> str:
    if series.aim is None:
        return ""
    return f"{series.aim}: {'met' if series.meets_aim else 'missed'}"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
