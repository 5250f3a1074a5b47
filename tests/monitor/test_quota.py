"""``GET /quota`` over HTTP."""

from __future__ import annotations

import json

from hubmirror.quota.rules import Rules
from tests.monitor.watching import Watched


def test_tells_how_it_stands() -> None:
    """What the reporter tells, as it is; asking costs nothing."""
    watched = Watched(Rules(per_day=10))
    watched.get("/v2/")
    watched.ask("/quota")
    wire = watched.ask("/quota")
    assert json.loads(wire.body()) == watched.reporter.now(names=True)
    assert json.loads(wire.body())["used"] == 1
    assert "Content-Type: application/json" in wire.head()
    assert "Cache-Control: no-store" in wire.head()


def test_tells_the_public_the_numbers() -> None:
    """Where the operator wants it."""
    watched = Watched(is_public=True)
    wire = watched.ask("/quota", peer="203.0.113.9")
    assert json.loads(wire.body()) == watched.reporter.now(names=False)


def test_the_length_is_told() -> None:
    """Also to a HEAD."""
    watched = Watched()
    length = len(watched.ask("/quota").body())
    for method in ("GET", "HEAD"):
        assert f"Content-Length: {length}" in watched.ask("/quota", method=method).head()
