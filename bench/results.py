"""What a run found: samples, their medians, and ratios between peers."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from attrs import field, frozen

__all__ = ["Aim", "Row", "Series", "write"]


@frozen
class Aim:
    """The most that a series' value (or its ratio, where it has a base) should be."""

    most: float


@frozen
class Series:
    """One quantity of one peer, a sample a round.

    ``base`` is the series that it is compared with, of the same rounds.
    """

    quantity: str
    peer: str
    unit: str
    samples: tuple[float, ...] = field(converter=tuple[float, ...])
    base: Series | None = None
    aim: Aim | None = None

    @property
    def median(self) -> float:
        """The middle sample."""
        return median(self.samples)

    @property
    def ratio(self) -> float | None:
        """The middle of the rounds' ratios to the base: what drifts is in both, and falls out."""
        if self.base is None:
            return None
        return median(
            own / other for own, other in zip(self.samples, self.base.samples, strict=True)
        )

    @property
    def meets_aim(self) -> bool | None:
        """Whether the aim is met, where there is one."""
        if self.aim is None:
            return None
        value = self.median if self.ratio is None else self.ratio
        return value <= self.aim.most

    def as_json(self) -> dict[str, Any]:
        """For a results file."""
        return {
            "quantity": self.quantity,
            "peer": self.peer,
            "unit": self.unit,
            "samples": [round(sample, 4) for sample in self.samples],
            "median": round(self.median, 4),
            "base": self.base and [self.base.quantity, self.base.peer],
            "ratio": self.ratio and round(self.ratio, 3),
            "aim": self.aim and self.aim.most,
        }


@frozen
class Row:
    """All series of one row of the benchmark."""

    name: str
    series: Sequence[Series]


def write(row: Row, folder: Path) -> Path:
    """Write ``row`` and what it ran on to ``folder``; the file's path."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{row.name}.json"
    found = {
        "row": row.name,
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "twisted": version("twisted"),
        },
        "series": [series.as_json() for series in row.series],
    }
    path.write_text(json.dumps(found, indent=2) + "\n")
    return path
