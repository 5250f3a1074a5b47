"""``GET /metrics``, as Prometheus reads it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from attrs import evolve
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from twisted.internet.defer import Deferred, fail

from hubmirror.cache.errors import StoreFailed
from hubmirror.monitor.metrics import KEEP, PATIENCE, MetricsResource
from hubmirror.question import Outcome
from hubmirror.quota.kinds import Kind
from hubmirror.quota.rules import Reserve, Rules
from tests.monitor.scrape import COUNTS, full_edge, metrics_of
from tests.registry.edge import Edge, hang_up
from tests.support.programs import run


def test_requests_by_kind_and_outcome() -> None:
    """Every pair is there from the start, so that a rate sees the first request."""
    edge = full_edge()
    before = metrics_of(edge).values()
    pairs = {
        f'hubmirror_requests_total{{kind="{kind.label}",outcome="{outcome.label}"}}'
        for kind in Kind
        for outcome in Outcome
    }
    assert {series for series in before if "hubmirror_requests_" in series} == pairs
    assert all(before[series] == 0 for series in pairs)

    edge.get("/v2/")

    after = metrics_of(edge).values()
    assert {series for series in pairs if after[series]} == {
        'hubmirror_requests_total{kind="ping",outcome="miss"}'
    }


def test_traffic() -> None:
    """Bytes and requests on both sides, and what the quota let through."""
    edge = full_edge()
    edge.upstream.answer = lambda _request: b"12345"
    edge.get("/v2/")

    told = metrics_of(edge)

    assert told['hubmirror_client_bytes_total{direction="in"}'] > 20
    assert told['hubmirror_client_bytes_total{direction="out"}'] == 5
    assert told["hubmirror_quota_admitted_total"] == 1
    assert told["hubmirror_upstream_requests_total"] == 1
    assert told["hubmirror_upstream_bytes_total"] == 5
    assert told["hubmirror_hub_pulls_total"] == 0


def test_windows_of_the_quota() -> None:
    """Used, limit and end of the day and of the minute; what nobody limits has 0."""
    edge = full_edge()
    edge.get("/v2/")
    told = metrics_of(edge)
    assert told['hubmirror_quota_used{window="day"}'] == 1
    assert told['hubmirror_quota_used{window="minute"}'] == 1
    assert told['hubmirror_quota_limit{window="day"}'] == 100
    assert told['hubmirror_quota_limit{window="minute"}'] == 10
    assert told['hubmirror_quota_reset_timestamp_seconds{window="day"}'] == 20001 * 86400
    assert told['hubmirror_quota_reset_timestamp_seconds{window="minute"}'] == 20000.5 * 86400 + 60

    edge.quota.rules = Rules()
    assert metrics_of(edge)['hubmirror_quota_limit{window="day"}'] == 0


def test_reserves() -> None:
    """One series a name: two reserves for the same clients are one, and a quote is escaped."""
    edge = full_edge()
    edge.quota.rules = Rules(
        per_day=10,
        networks={"lab": (ip_network("192.0.2.0/24"),)},
        reserves=(
            Reserve(10, networks=("lab",)),
            Reserve(20, networks=("lab",)),
            Reserve(30, users=('"',)),
        ),
    )
    for _ in range(2):
        edge.get("/v2/")
    told = metrics_of(edge)
    assert told['hubmirror_quota_reserve_size{reserve="lab"}'] == 3
    assert told['hubmirror_quota_reserve_used{reserve="lab"}'] == 2
    assert told['hubmirror_quota_reserve_size{reserve="""}'] == 3
    assert told.text().count('hubmirror_quota_reserve_size{reserve="lab"}') == 1


def test_docker_hubs_limit() -> None:
    """The mirror's own, not a user's; and none before the Hub has told it."""
    told = metrics_of(full_edge())
    assert told["hubmirror_hub_limit"] == 100
    assert told["hubmirror_hub_remaining"] == 76
    assert told["hubmirror_hub_window_seconds"] == 21600
    assert told["hubmirror_hub_seen_timestamp_seconds"] == 20000.5 * 86400

    edge = Edge()
    edge.site.resource.putChild(b"metrics", MetricsResource(edge.quota, COUNTS))
    assert "hubmirror_hub_limit" not in metrics_of(edge).values()


def test_store() -> None:
    """Each number is asked for at each scrape."""
    refusals = [1]
    edge = full_edge(evolve(COUNTS, not_kept=lambda: refusals[0]))
    told = metrics_of(edge)
    assert told["hubmirror_store_refusals_total"] == 1
    assert told["hubmirror_wrong_digests_total"] == 2
    assert told["hubmirror_rotten_blobs_total"] == 3
    assert told["hubmirror_fetches"] == 4
    assert told["hubmirror_store_blobs"] == 5
    assert told["hubmirror_store_bytes"] == 600
    assert told["hubmirror_store_writable"] == 1

    refusals[0] = 9
    assert metrics_of(edge)["hubmirror_store_refusals_total"] == 9


def test_what_is_kept_is_summed_now_and_then() -> None:
    """However many scrape, the index is asked once in ``KEEP`` seconds."""
    asked: list[Deferred[tuple[int, int] | None]] = []

    def kept() -> Deferred[tuple[int, int] | None]:
        asked.append(Deferred())
        return asked[-1]

    edge = full_edge(evolve(COUNTS, kept=kept))
    first, second = (edge.get("/metrics") for _ in range(2))
    assert (first.value(), second.value()) == (b"", b"")
    asked[0].callback((7, 8))
    assert b"hubmirror_store_bytes 8.0" in first.body()
    assert b"hubmirror_store_bytes 8.0" in second.body()
    assert metrics_of(edge)["hubmirror_store_blobs"] == 7
    assert len(asked) == 1

    edge.clock.advance(KEEP)
    edge.get("/metrics")
    assert len(asked) == 2


def test_an_index_that_hangs_or_fails_does_not_stop_a_scrape() -> None:
    """It goes without the sum, and the rest is told."""
    edge = full_edge(evolve(COUNTS, kept=Deferred))
    wire = edge.get("/metrics")
    edge.clock.advance(PATIENCE)
    assert wire.status() == 200
    assert b"hubmirror_fetches 4.0" in wire.body()
    assert b"hubmirror_store_bytes" not in wire.body()

    broken = full_edge(evolve(COUNTS, kept=lambda: fail(StoreFailed("the disk failed"))))
    told = metrics_of(broken).values()
    assert told["hubmirror_fetches"] == 4
    assert "hubmirror_store_bytes" not in told


def test_a_client_that_leaves_is_no_error() -> None:
    """What was found out for it comes too late, and nothing is written."""
    found: Deferred[tuple[int, int] | None] = Deferred()
    edge = full_edge(evolve(COUNTS, kept=lambda: found))
    protocol, wire = edge.connect()
    protocol.dataReceived(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    hang_up(protocol)
    found.callback((1, 1))
    assert wire.value() == b""


def test_the_daemon() -> None:
    """What it is, and how it stands."""
    told = metrics_of(full_edge())
    assert told['hubmirror_build_info{version="1.2.3"}'] == 1
    assert told["hubmirror_client_connections"] == 6
    assert told["hubmirror_upstream_up"] == 1
    assert told["hubmirror_certificate_expiry_timestamp_seconds"] == 2e9
    assert told['hubmirror_request_duration_seconds_count{kind="blob"}'] == 1
    assert told["process_resident_memory_bytes"] > 1e6
    assert metrics_of(full_edge(is_upstream_up=lambda: False))["hubmirror_upstream_up"] == 0


def test_goes_without_what_nobody_tells() -> None:
    """No https, no certificate; and the counts alone are enough."""
    assert "certificate" not in metrics_of(full_edge(certificate_expiry=lambda: None)).text()
    edge = Edge(quota=10)
    edge.site.resource.putChild(b"metrics", MetricsResource(edge.quota, COUNTS))
    told = metrics_of(edge).values()
    assert told["hubmirror_fetches"] == 4
    assert told['hubmirror_quota_limit{window="day"}'] == 10
    assert not {"hubmirror_store_bytes", "hubmirror_upstream_up"} & set(told)


def test_no_client_or_repository_is_a_label() -> None:
    """Whatever is asked for, there are as many series as before."""
    edge = full_edge()
    before = set(metrics_of(edge).values())
    edge.get("/v2/library/some-image/manifests/some-tag")
    edge.send(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n", peer="198.51.100.77")
    assert set(metrics_of(edge).values()) == before


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text",
        "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "Application/OpenMetrics-Text; version=none-at-all; escaping=\xff",
    ],
)
def test_openmetrics(accept: str) -> None:
    """Where ``Accept`` asks for it; what it says beside that is nothing to stumble on."""
    scraped = metrics_of(full_edge(), f"Accept: {accept}")
    assert "application/openmetrics-text; version=1.0.0" in scraped.wire.head()
    assert "Vary: Accept" in scraped.wire.head()
    names = {family.name for family in openmetrics_families(scraped.text())}
    assert {"hubmirror_requests", "hubmirror_build", "hubmirror_quota_used"} <= names


@pytest.mark.parametrize("accept", ["*/*", "text/plain;version=x", "", ";,;=", "a" * 4000])
def test_text_format(accept: str) -> None:
    """For everybody else."""
    scraped = metrics_of(full_edge(), f"Accept: {accept}")
    assert scraped.wire.status() == 200
    assert "text/plain; version=0.0.4" in scraped.wire.head()


def test_head() -> None:
    """The length, and no body."""
    wire = full_edge().get("/metrics", method="HEAD")
    assert wire.status() == 200
    assert "Content-Length: " in wire.head()
    assert wire.body() == b""


def test_promtool_finds_nothing() -> None:
    """Names, types and texts are as Prometheus' conventions have them."""
    assert run("promtool", "check", "metrics", stdin=metrics_of(full_edge()).text()) == ""
