"""What became worse since other results: ratios, for seconds can't be compared between runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from attrs import frozen

from bench.results import Row, Series, read
from bench.table import number

__all__ = ["Change", "committed", "worse"]

#: A spread counts as this share of the value at least: of few rounds it may be nothing by chance.
LEAST_SPREAD = 0.03

_Key = tuple[str, str, str]


@frozen
class Change:
    """One of our series that became worse: what is judged of it, before and now."""

    row: str
    series: Series
    before: float
    now: float
    spread: float

    def __str__(self) -> str:
        series = self.series
        unit = f" x {series.other}" if series.base else f" {series.unit}"
        return (
            f"{self.row}: {series.quantity}, {series.peer}: {number(self.now)}{unit},"
            f" before {number(self.before)} (spread {number(self.spread)})"
        )


def worse(before: Row, now: Row) -> Iterator[Change]:
    """What is worse now by more than its spread, of all that is of ours in both.

    The spread is the larger of both runs', from the least to the most of the rounds. What has
    neither a base nor an aim (seconds, gigabytes a second) is not compared.
    """
    known = dict(_comparable(before))
    for key, series in _comparable(now):
        if key in known:
            change = _change(now.name, known[key], series)
            loss = (
                change.before - change.now if series.more_is_better else change.now - change.before
            )
            if loss > change.spread:
                yield change


def committed(path: Path) -> Row | None:
    """The row of a results file as it was last committed; None where it was not.

    Raises ``RuntimeError`` where that can't be found out.
    """
    shown = _git(path, "show", f"HEAD:./{path.name}")
    if shown.returncode == 0:
        return read(shown.stdout)
    if _git(path, "rev-parse", "HEAD").returncode:
        raise RuntimeError(f"{path}: no git checkout to compare with")
    return None


def _git(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("git", "-C", path.parent, *arguments), capture_output=True, text=True, check=False
    )


def _comparable(row: Row) -> Iterator[tuple[_Key, Series]]:
    for series in row.series:
        if series.is_ours and (series.base is not None or series.aim is not None):
            yield (series.quantity, series.peer, series.other), series


def _change(row: str, before: Series, now: Series) -> Change:
    middle = median(before.judged)
    spread = max(_width(before), _width(now), LEAST_SPREAD * abs(middle))
    return Change(row, now, middle, median(now.judged), spread)


def _width(series: Series) -> float:
    return max(series.judged) - min(series.judged)
