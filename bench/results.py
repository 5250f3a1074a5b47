"""What a run found: samples, their medians, and ratios between peers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from attrs import field, frozen

__all__ = ["FLAT", "OURS", "Aim", "Row", "Series", "read", "write"]

#: What the names of our own peers begin with: "hubmirror", "hubmirror, 2 workers".
OURS = "hubmirror"


@frozen
class Aim:
    """The most or the least that a series' ratio should be, or its value where it has no base."""

    most: float | None = None
    least: float | None = None

    def is_met(self, value: float) -> bool:
        """Whether ``value`` lies within."""
        return (self.most is None or value <= self.most) and (
            self.least is None or value >= self.least
        )

    def __str__(self) -> str:
        bounds = ((">=", self.least), ("<=", self.most))
        return " and ".join(f"{sign} {bound:.3g}" for sign, bound in bounds if bound is not None)


#: For a ratio to a smaller case of the same, where cost should not grow.
FLAT = Aim(most=1.25)


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
    def ratios(self) -> tuple[float, ...]:
        """Each round's ratio to the base; none without a base."""
        if self.base is None:
            return ()
        pairs = zip(self.samples, self.base.samples, strict=True)
        return tuple(own / other for own, other in pairs)

    @property
    def ratio(self) -> float | None:
        """The middle of the rounds' ratios to the base: what drifts is in both, and falls out."""
        return median(self.ratios) if self.base is not None else None

    @property
    def judged(self) -> tuple[float, ...]:
        """What an aim is for, a value a round: the ratios, or the samples without a base."""
        return self.samples if self.base is None else self.ratios

    @property
    def meets_aim(self) -> bool | None:
        """Whether the aim is met, where there is one."""
        return None if self.aim is None else self.aim.is_met(median(self.judged))

    @property
    def is_ours(self) -> bool:
        """Whether it is about hubmirror."""
        return self.peer.startswith(OURS)

    @property
    def more_is_better(self) -> bool:
        """As the aim says, or for what is done in a second; else less is: time, memory."""
        if self.aim is not None:
            return self.aim.least is not None
        return self.unit.endswith("/s")

    @property
    def other(self) -> str:
        """What it is compared with, in words: a peer, or itself under other circumstances."""
        if self.base is None:
            return ""
        return self.base.quantity if self.base.peer == self.peer else self.base.peer

    def as_json(self) -> dict[str, Any]:
        """For a results file."""
        return {
            "quantity": self.quantity,
            "peer": self.peer,
            "unit": self.unit,
            "samples": [float(f"{sample:.6g}") for sample in self.samples],
            "median": float(f"{self.median:.6g}"),
            "base": self.base and [self.base.quantity, self.base.peer],
            "ratio": self.ratio and float(f"{self.ratio:.4g}"),
            "at_most": self.aim and self.aim.most,
            "at_least": self.aim and self.aim.least,
        }


@frozen
class Row:
    """All series of one row of the benchmark, and what else is to be said of them.

    ``machine`` is what it ran on, in words; empty until it is written.
    """

    name: str
    series: Sequence[Series]
    notes: Sequence[str] = ()
    machine: Mapping[str, Any] = field(factory=dict)


def write(row: Row, folder: Path, machine: Mapping[str, Any]) -> Path:
    """Write ``row`` and what it ran on to ``folder``; the file's path."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{row.name}.json"
    found = {
        "row": row.name,
        "machine": dict(machine),
        "notes": list(row.notes),
        "series": [series.as_json() for series in row.series],
    }
    path.write_text(json.dumps(found, indent=2) + "\n")
    return path


def read(text: str) -> Row:
    """The row of a results file; raises ``ValueError`` where it is none."""
    try:
        found = json.loads(text)
        series = tuple(_series(found["series"]))
        return Row(found["row"], series, tuple(found.get("notes", ())), found["machine"])
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        raise ValueError(f"no results of the benchmark: {error!r}") from error


def _series(found: Sequence[Mapping[str, Any]]) -> Iterator[Series]:
    plain = {(one["quantity"], one["peer"]): _plain(one) for one in found}
    for one in found:
        base = plain[tuple(one["base"])] if one["base"] else None
        bounds = one.get("at_most"), one.get("at_least")
        aim = None if bounds == (None, None) else Aim(*bounds)
        yield Series(one["quantity"], one["peer"], one["unit"], one["samples"], base, aim)


def _plain(one: Mapping[str, Any]) -> Series:
    return Series(one["quantity"], one["peer"], one["unit"], one["samples"])
