"""A mirror before a Hub, in memory."""

from __future__ import annotations

import pytest

from tests.mirror.hub import Hub
from tests.registry.edge import Edge


@pytest.fixture
def hub() -> Hub:
    """A Hub behind a mirror that fetches nothing ahead: each request is the test's own."""
    return Hub(Edge(prefetch="off"))
