"""Blobs that are begun before the client asks for them."""

from __future__ import annotations

from typing import Any

from tests.mirror.hub import ACCEPT, Hub, digest_of
from tests.registry.edge import Edge

REPOSITORY = "library/hello"
IMAGE = f"/v2/{REPOSITORY}/manifests/latest"
BLOBS = [f"/v2/{REPOSITORY}/blobs/{digest_of(data)}" for data in (b"{}", b"layer")]


def hub_with(**settings: Any) -> Hub:
    hub = Hub(Edge(**settings))
    hub.put_image(REPOSITORY, "latest", b"layer")
    return hub


def test_a_get_starts_on_config_and_layers() -> None:
    """When the client comes they are here already."""
    hub = hub_with(prefetch="on")
    alice = hub.token("alice", REPOSITORY)
    hub.get(IMAGE, alice, ACCEPT)
    asked = hub.asked()
    for path in BLOBS:
        assert f"GET {path}" in asked
        assert hub.get(path, alice).status() == 200
    assert hub.asked() == []


def test_a_head_starts_nothing() -> None:
    """Many clients ask for a tag only to see whether it has moved."""
    hub = hub_with(prefetch="on")
    hub.get(IMAGE, hub.token("alice", REPOSITORY), ACCEPT, method="HEAD")
    assert not [line for line in hub.asked() if "/blobs/" in line]


def test_may_be_turned_off() -> None:
    """``prefetch = off``."""
    hub = hub_with(prefetch="off")
    hub.get(IMAGE, hub.token("alice", REPOSITORY), ACCEPT)
    assert not [line for line in hub.asked() if "/blobs/" in line]


def test_nobody_fetches_for_a_client_that_does_not_come_back() -> None:
    """Half a minute, then the errand ends and leaves nothing in the clock."""
    hub = hub_with(prefetch="on")
    hub.get(IMAGE, hub.token("alice", REPOSITORY), ACCEPT)
    hub.edge.clock.advance(30)
    hub.edge.policy.default.mirrored.prefetch.close()
