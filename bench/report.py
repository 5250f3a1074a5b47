"""What docs/performance.md shows of the results: a table between two marks, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.chart import chart
from bench.results import Row, read
from bench.table import markdown_table

__all__ = ["BEGIN", "END", "filled", "kept_rows", "write_report"]

BEGIN, END = "<!-- results: written by make bench -->", "<!-- end of results -->"


def write_report(results: Path, order: Sequence[str], document: Path) -> None:
    """Put the results of all rows into ``document``, and the picture beside it (``.svg``)."""
    rows = kept_rows(results, order)
    document.write_text(filled(document.read_text(), rows))
    document.with_suffix(".svg").write_text(chart(rows))


def kept_rows(results: Path, order: Sequence[str]) -> Sequence[Row]:
    """The rows in a folder of results, in this order; those that were never measured are left out.

    Raises ``ValueError`` where a file is none of ours.
    """
    paths = [results / f"{name}.json" for name in order]
    return [read(path.read_text()) for path in paths if path.exists()]


def filled(document: str, rows: Sequence[Row]) -> str:
    """``document`` with these results between its marks; ``ValueError`` where it has none."""
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no place for results: {BEGIN} … {END}")
    return f"{head}{BEGIN}\n{_results(rows)}\n{END}{tail}"


def _results(rows: Sequence[Row]) -> str:
    machines: dict[str, list[str]] = {}
    for row in rows:
        rounds = max(len(series.samples) for series in row.series)
        words = f"{_machine(row.machine)}; {rounds} rounds" if rounds > 1 else _machine(row.machine)
        machines.setdefault(words, []).append(f"`{row.name}`")
    lines = [f"- {words}: {', '.join(names)}." for words, names in machines.items()]
    notes = [f"- `{row.name}`: {note}." for row in rows for note in row.notes]
    parts = [markdown_table(rows), "Measured on:", "\n".join(lines)]
    if notes:
        parts += ["And what the run itself has noticed:", "\n".join(notes)]
    return "\n\n".join(parts)


def _machine(machine: Mapping[str, Any]) -> str:
    """One line, of what is known: older results tell less."""
    words = {
        "processors": "{} processors",
        "python": "Python {}",
        "twisted": "Twisted {}",
        "nginx": "nginx {}",
        "docker-registry": "docker-registry {}",
        "measured": "{}",
    }
    return ", ".join(form.format(machine[key]) for key, form in words.items() if key in machine)
