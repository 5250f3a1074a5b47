"""A mirror that knows a value of each of its metrics, and what a scrape of it tells."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import succeed

from hubmirror.monitor.latency import Latency
from hubmirror.monitor.metrics import Counts, MetricsResource, Vitals
from hubmirror.quota.kinds import Kind
from hubmirror.quota.pulls import OURS
from hubmirror.quota.rules import Reserve, Rules
from tests.registry.edge import Edge, Wire

__all__ = ["COUNTS", "Scraped", "full_edge", "metrics_of", "vitals"]

COUNTS = Counts(
    lambda: 1, lambda: 2, lambda: 3, lambda: 4, lambda: succeed((5, 600)), lambda: succeed(True)
)


@frozen
class Scraped:
    """A scrape: its response, and the value of each series."""

    wire: Wire

    def __getitem__(self, series: str) -> float:
        """The value of ``name`` or ``name{label="value",…}``, labels in their alphabet's order."""
        return self.values()[series]

    def text(self) -> str:
        """The body."""
        return self.wire.body().decode()

    def values(self) -> dict[str, float]:
        """By series, as ``__getitem__`` has them."""
        families = text_string_to_metric_families(self.text())
        return {
            _series(sample.name, sample.labels): sample.value
            for family in families
            for sample in family.samples
        }


def full_edge(counts: Counts = COUNTS, **vital: Any) -> Edge:
    """A mirror at ``/metrics``; ``vital`` are fields of ``Vitals`` other than ``vitals()`` has."""
    edge = Edge(rules=Rules(per_day=100, per_minute=10, reserves=(Reserve(20, users=("a",)),)))
    edge.quota.pulls.observe(OURS, "100;w=21600", "76;w=21600", "203.0.113.9")
    edge.quota.pulls.observe("alice", "200;w=21600", "199;w=21600", "alice")
    told = evolve(vitals(), **vital)
    edge.site.resource.putChild(b"metrics", MetricsResource(edge.quota, counts, told, edge.clock))
    return edge


def vitals() -> Vitals:
    """A value of everything."""
    latency = Latency()
    latency.observe(Kind.BLOB, 0.2)
    return Vitals("1.2.3", latency, lambda: 6, lambda: True, lambda: 2e9)


def metrics_of(edge: Edge, *headers: str) -> Scraped:
    """One scrape."""
    return Scraped(edge.get("/metrics", *headers))


def _series(name: str, labels: dict[str, str]) -> str:
    if not labels:
        return name
    told = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{told}}}"
