"""How long requests take: a histogram for each kind, as Prometheus has them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from prometheus_client.core import HistogramMetricFamily

from hubmirror.quota.kinds import Kind

__all__ = ["BOUNDS", "WORDS", "Latency"]

#: The buckets' upper bounds, in seconds: from a hit on loopback to a large layer on a slow line.
BOUNDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)


Words = list[int] | memoryview

#: The words of a kind: its buckets, and the sum of the times in microseconds.
_WIDTH: Final = len(BOUNDS) + 2
#: The words of all kinds.
WORDS: Final = _WIDTH * len(Kind)


class Latency:
    """Counts requests by kind and by the bucket of ``BOUNDS`` into which their time falls.

    It is told of each request, so ``observe`` does next to nothing. It counts in ``words``,
    ``WORDS`` of them; what stands in those of ``others`` is told with it.
    """

    def __init__(self, words: Words | None = None, others: Sequence[Words] = ()) -> None:
        self._words: Words = [0] * WORDS if words is None else words
        self._all = (self._words, *others)

    def observe(self, kind: Kind, seconds: float) -> None:
        """A request of this kind has taken so long."""
        words, first = self._words, kind * _WIDTH
        words[first + bisect_left(BOUNDS, seconds)] += 1
        words[first + _WIDTH - 1] += int(max(0.0, seconds) * 1e6)

    def family(self) -> HistogramMetricFamily:
        """All of it as ``hubmirror_request_duration_seconds``; every kind is there."""
        family = HistogramMetricFamily(
            "hubmirror_request_duration_seconds",
            "From a request's head to the end of its answer, the client's own pace included.",
            labels=["kind"],
        )
        for kind in Kind:
            *counts, microseconds = self._sums(kind)
            family.add_metric([kind.label], _buckets(counts), microseconds / 1e6)
        return family

    def _sums(self, kind: Kind) -> list[int]:
        first = kind * _WIDTH
        parts = (words[first : first + _WIDTH] for words in self._all)
        return [sum(column) for column in zip(*parts, strict=True)]


def _buckets(counts: Sequence[int]) -> list[tuple[str, float]]:
    """Each bound with the number of requests up to it."""
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets
