"""Pages of tags."""

from __future__ import annotations

import json
from typing import Any

from tests.mirror.hub import Hub
from tests.registry.edge import Edge

REPOSITORY = "library/hello"
TAGS = f"/v2/{REPOSITORY}/tags/list"


def warmed(**settings: Any) -> Hub:
    hub = Hub(Edge(prefetch="off", **settings))
    hub.put_image(REPOSITORY, "latest", b"layer")
    alice = hub.token("alice", REPOSITORY)
    assert hub.get(f"/v2/{REPOSITORY}/manifests/latest", alice).status() == 200
    assert json.loads(hub.get(TAGS, alice).body())["tags"] == ["latest"]
    hub.asked()
    return hub


def test_a_page_is_fresh_for_a_while() -> None:
    """Like a tag."""
    hub = warmed(tag_ttl="5m")
    hub.put_image(REPOSITORY, "new", b"new")
    hub.edge.clock.advance(299)
    wire = hub.get(TAGS)
    assert json.loads(wire.body())["tags"] == ["latest"]
    assert "Age: 299" in wire.head()
    assert hub.asked() == []


def test_then_it_is_fetched_behind() -> None:
    """The next one sees it."""
    hub = warmed(tag_ttl="5m", stale_while_revalidate="1h")
    hub.put_image(REPOSITORY, "new", b"new")
    hub.edge.clock.advance(301)
    assert json.loads(hub.get(TAGS, hub.token("alice", REPOSITORY)).body())["tags"] == ["latest"]
    assert json.loads(hub.get(TAGS).body())["tags"] == ["latest", "new"]


def test_and_served_on_in_an_outage() -> None:
    """With a warning."""
    hub = warmed(tag_ttl="5m", stale_while_revalidate="0s")
    hub.status = 503
    hub.edge.clock.advance(86400)
    wire = hub.get(TAGS)
    assert json.loads(wire.body())["tags"] == ["latest"]
    assert "Warning: 299" in wire.head()


def test_pages_are_apart() -> None:
    """Another ``n`` is another page."""
    hub = warmed()
    hub.get(f"{TAGS}?n=1", hub.token("alice", REPOSITORY))
    assert f"GET {TAGS}" in hub.asked()
