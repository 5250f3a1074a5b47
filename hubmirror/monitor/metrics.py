"""``GET /metrics``: what an operator's Prometheus watches of the store and the count."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import frozen
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.quota.daily import DailyQuota

__all__ = ["Counts", "MetricsResource"]


@frozen
class Counts:
    """What the store tells of itself, each asked for when it is scraped."""

    not_kept: Callable[[], int]
    wrong_digests: Callable[[], int]
    rotten: Callable[[], int]
    fetches: Callable[[], int]


class MetricsResource(Resource):
    """The metrics in Prometheus' text format; without labels, so their number is fixed."""

    isLeaf = True

    def __init__(self, quota: DailyQuota, counts: Counts) -> None:
        super().__init__()
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(quota, counts))

    def render_GET(self, request: Request) -> bytes:
        request.setHeader("Content-Type", CONTENT_TYPE_LATEST)
        return generate_latest(self._registry)


@frozen(eq=False)
class _Collector(Collector):
    quota: DailyQuota
    counts: Counts

    def collect(self) -> Iterator[Metric]:
        """Asked by the client library at each scrape."""
        counts, status = self.counts, self.quota.status()
        yield CounterMetricFamily(
            "hubmirror_store_refusals",
            "Times that the disk took no blob: it was streamed and not kept.",
            counts.not_kept(),
        )
        yield CounterMetricFamily(
            "hubmirror_wrong_digests",
            "Blobs that came with other bytes than their digest promises.",
            counts.wrong_digests(),
        )
        yield CounterMetricFamily(
            "hubmirror_rotten_blobs", "Kept blobs that the scrub found rotten.", counts.rotten()
        )
        yield GaugeMetricFamily("hubmirror_fetches", "Blobs on their way.", counts.fetches())
        yield GaugeMetricFamily("hubmirror_quota_used", "Requests counted today.", status.used)
        yield GaugeMetricFamily(
            "hubmirror_quota_limit", "Requests a day; 0: no limit.", status.limit
        )
