"""How long requests take: a histogram for each kind, as Prometheus has them."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from prometheus_client.core import HistogramMetricFamily

from hubmirror.quota.kinds import Kind

__all__ = ["BOUNDS", "Latency"]

#: The buckets' upper bounds, in seconds: from a hit on loopback to a large layer on a slow line.
BOUNDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)


class Latency:
    """Counts requests by kind and by the bucket of ``BOUNDS`` into which their time falls.

    It is told of each request, so ``observe`` does next to nothing.
    """

    def __init__(self) -> None:
        self._counts = [[0] * (len(BOUNDS) + 1) for _ in Kind]
        self._sums = [0.0] * len(Kind)

    def observe(self, kind: Kind, seconds: float) -> None:
        """A request of this kind has taken so long."""
        self._counts[kind][bisect_left(BOUNDS, seconds)] += 1
        self._sums[kind] += seconds

    def family(self) -> HistogramMetricFamily:
        """All of it as ``hubmirror_request_duration_seconds``; every kind is there."""
        family = HistogramMetricFamily(
            "hubmirror_request_duration_seconds",
            "From a request's head to the end of its answer, the client's own pace included.",
            labels=["kind"],
        )
        for kind in Kind:
            family.add_metric([kind.label], self._buckets(kind), self._sums[kind])
        return family

    def _buckets(self, kind: Kind) -> list[tuple[str, float]]:
        """Each bound with the number of requests up to it."""
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self._counts[kind], strict=True):
            total += count
            buckets.append((bound, total))
        return buckets
