"""``GET /quota`` over HTTP."""

from __future__ import annotations

import json

from hubmirror.monitor.quota import QuotaResource
from hubmirror.tokens.credentials import LoginStatus
from tests.registry.edge import Edge


def edge_with(limit: int) -> Edge:
    edge = Edge(quota=limit)
    edge.site.resource.putChild(b"quota", QuotaResource(edge.quota))
    return edge


def test_tells_the_days_count() -> None:
    """What is spent, what is left, and when it starts anew; asking costs nothing."""
    edge = edge_with(10)
    edge.get("/v2/")
    edge.get("/quota")
    wire = edge.get("/quota")
    assert json.loads(wire.body()) == {
        "limit": 10,
        "used": 1,
        "remaining": 9,
        "reset": "2024-10-05T00:00:00Z",
    }
    assert "application/json" in wire.head()
    assert "Cache-Control: no-store" in wire.head()


def test_without_a_limit() -> None:
    """Still counted; there is no remainder."""
    edge = edge_with(0)
    edge.get("/v2/")
    told = json.loads(edge.get("/quota").body())
    assert (told["limit"], told["used"], told["remaining"]) == (None, 1, None)


def test_tells_how_the_mirrors_own_login_stands() -> None:
    """Where it has one: an operator sees a wrong password at a glance."""
    edge = Edge()
    status = LoginStatus(False, "registry.example refuses the mirror's own login (401)")
    edge.site.resource.putChild(b"quota", QuotaResource(edge.quota, lambda: status))
    told = json.loads(edge.get("/quota").body())
    assert told["login"] == {"ok": False, "message": status.message}
