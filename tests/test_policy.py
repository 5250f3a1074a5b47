"""The policy is what the configuration says."""

from __future__ import annotations

from tests.mirror.hub import ACCEPT, Hub
from tests.registry.edge import Edge


def test_times_are_the_configurations() -> None:
    """A short ``tag_ttl`` is short."""
    hub = Hub(Edge(prefetch="off", tag_ttl="7s", stale_while_revalidate="0s"))
    hub.put_image("library/hello", "latest", b"layer")
    path = "/v2/library/hello/manifests/latest"
    hub.get(path, hub.token("alice", "library/hello"), ACCEPT)
    assert "max-age=7" in hub.get(path, ACCEPT).head()
