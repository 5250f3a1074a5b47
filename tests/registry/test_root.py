"""The tree: what has a place in it, and what has none."""

from __future__ import annotations

import pytest
from twisted.web.static import Data

from tests.registry.edge import Edge


def test_pages_have_their_place() -> None:
    """A child answers on its own name only."""
    edge = Edge(pages={b"": Data(b"home", "text/plain"), b"page": Data(b"page", "text/plain")})
    assert edge.get("/").body() == b"home"
    assert edge.get("/page").body() == b"page"
    assert edge.get("/pages").status() == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "TRACE", "QUERY"])
def test_elsewhere_is_a_404(method: str) -> None:
    """For every method, in JSON, never an open proxy."""
    edge = Edge()
    wire = edge.get("/elsewhere", method=method)
    assert wire.status() == 404
    assert edge.upstream.requests == []
