"""What is counted: one row of numbers, for a minute, an hour, a day or a process's life."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import frozen

from hubmirror.question import Outcome
from hubmirror.quota.kinds import Kind

__all__ = [
    "ADMITTED",
    "BYTES_IN",
    "BYTES_OUT",
    "PULLS",
    "UPSTREAM_BYTES",
    "UPSTREAM_REQUESTS",
    "WIDTH",
    "Counters",
    "column_of",
]

#: Columns are numbered for good, as they are on the disk: a new one takes a number that was free.
ADMITTED: Final = 0  #: requests that the quota let through
BYTES_IN: Final = 1  #: from clients
BYTES_OUT: Final = 2  #: to clients
UPSTREAM_REQUESTS: Final = 3
UPSTREAM_BYTES: Final = 4  #: of bodies, from the upstream
PULLS: Final = 5  #: that Docker Hub has counted
#: 6 and 7 are free. From here on are the requests that have been answered: for each kind a column
#: for each outcome, and for one outcome more that there may be some day.
ANSWERED: Final = 8
OUTCOMES: Final = 6
WIDTH: Final = ANSWERED + len(Kind) * OUTCOMES


def column_of(kind: Kind, outcome: Outcome) -> int:
    """Where requests of this kind and outcome are counted."""
    return ANSWERED + kind * OUTCOMES + outcome


@frozen
class Counters:
    """One row, ``WIDTH`` numbers, as people read it."""

    row: Sequence[int]

    @classmethod
    def sum(cls, rows: Iterable[Counters]) -> Counters:
        """All of them together; without any, a row of zeros."""
        every = ([0] * WIDTH, *(one.row for one in rows))
        return cls([sum(column) for column in zip(*every, strict=True)])

    @property
    def requests(self) -> int:
        """The requests that have been answered, one way or another."""
        return sum(self.row[ANSWERED:])

    @property
    def admitted(self) -> int:
        """Those that the quota let through."""
        return self.row[ADMITTED]

    def of_kind(self, kind: Kind) -> int:
        """Requests of one kind."""
        return sum(self.row[column_of(kind, outcome)] for outcome in Outcome)

    def of_outcome(self, outcome: Outcome) -> int:
        """Requests that came out so."""
        return sum(self.row[column_of(kind, outcome)] for kind in Kind)

    def count(self, kind: Kind, outcome: Outcome) -> int:
        """Requests of one kind that came out so."""
        return self.row[column_of(kind, outcome)]

    @property
    def hit_ratio(self) -> float | None:
        """The share of manifests and blobs that needed nobody upstream; None without any."""
        content = (Kind.MANIFEST_GET, Kind.MANIFEST_HEAD, Kind.BLOB)
        kept = sum(
            self.count(kind, outcome)
            for kind in content
            for outcome in (Outcome.HIT, Outcome.STALE)
        )
        total = kept + sum(self.count(kind, Outcome.MISS) for kind in content)
        return kept / total if total else None

    @property
    def pulls_saved(self) -> int:
        """Manifests that were given from what is kept: Docker Hub would have counted each."""
        kind = Kind.MANIFEST_GET
        return self.count(kind, Outcome.HIT) + self.count(kind, Outcome.STALE)

    def as_json(self) -> dict[str, object]:
        """The object that monitoring answers have for a row."""
        return {
            "requests": self.requests,
            "admitted": self.admitted,
            "by_kind": {kind.label: self.of_kind(kind) for kind in Kind},
            "by_outcome": {outcome.label: self.of_outcome(outcome) for outcome in Outcome},
            "bytes_in": self.row[BYTES_IN],
            "bytes_out": self.row[BYTES_OUT],
            "upstream_requests": self.row[UPSTREAM_REQUESTS],
            "upstream_bytes": self.row[UPSTREAM_BYTES],
            "pulls": self.row[PULLS],
            "pulls_saved": self.pulls_saved,
        }
