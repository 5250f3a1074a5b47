"""``GET /metrics``, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from hubmirror.monitor.metrics import Counts, MetricsResource
from tests.registry.edge import Edge


def test_tells_the_store_and_the_count() -> None:
    """Each number is asked for at each scrape."""
    edge = Edge(quota=10)
    refusals = [0]
    counts = Counts(lambda: refusals[0], lambda: 2, lambda: 3, lambda: 4)
    edge.site.resource.putChild(b"metrics", MetricsResource(edge.quota, counts))
    edge.get("/v2/")
    edge.get("/metrics")
    refusals[0] = 1
    wire = edge.get("/metrics")
    assert "text/plain" in wire.head()
    families = text_string_to_metric_families(wire.body().decode())
    told = {sample.name: sample.value for family in families for sample in family.samples}
    assert told["hubmirror_store_refusals_total"] == 1
    assert told["hubmirror_wrong_digests_total"] == 2
    assert told["hubmirror_rotten_blobs_total"] == 3
    assert told["hubmirror_fetches"] == 4
    assert told["hubmirror_quota_used"] == 1
    assert told["hubmirror_quota_limit"] == 10
