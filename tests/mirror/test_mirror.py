"""The policy's order: every way in is counted first."""

from __future__ import annotations

from tests.mirror.hub import ACCEPT, Hub
from tests.registry.edge import Edge

IMAGE = "/v2/library/hello/manifests/latest"


def test_every_request_is_counted(hub: Hub) -> None:
    """What is refused, what stays here, and what goes upstream."""
    hub.get("/v2/A/manifests/x")
    hub.get("/v2/", method="OPTIONS")
    hub.get("/v2/")
    assert hub.edge.quota.status().used == 3
    assert hub.asked() == ["GET /v2/"]


def test_a_spent_day_still_gives_what_is_kept() -> None:
    """Only what would go upstream is refused."""
    edge = Edge(quota=2, prefetch="off")
    hub = Hub(edge)
    hub.put_image("library/hello", "latest", b"layer")
    alice = hub.token("alice", "library/hello")
    kept = hub.get(IMAGE, alice, ACCEPT)
    hub.get(IMAGE, alice, ACCEPT)
    hub.asked()
    assert hub.get(IMAGE, ACCEPT).body() == kept.body()
    assert hub.get("/v2/library/hello/manifests/other", ACCEPT).status() == 429
    assert hub.get("/v2/").status() == 429
    assert hub.get("/token").status() == 429
    assert hub.asked() == []
    assert edge.quota.status().used == 2


def test_without_a_cache_all_goes_upstream() -> None:
    """``cache = off``: the mirror forwards, and keeps nothing."""
    edge = Edge(cache="off")
    hub = Hub(edge)
    hub.put_image("library/hello", "latest", b"layer")
    alice = hub.token("alice", "library/hello")
    for _ in range(2):
        assert hub.get(IMAGE, alice, ACCEPT).status() == 200
    assert hub.asked() == [f"GET {IMAGE}"] * 2
