"""The Hub of ``tests/mirror/hub.py`` with Docker Hub's limit of pulls."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.mirror.hub import Hub
from tests.registry.edge import Edge

__all__ = ["ADDRESS", "WORDS", "LimitedHub"]

#: Whom the Hub counts without an account.
ADDRESS = "203.0.113.9"
#: How it refuses.
WORDS = b"Too Many Requests (HAP429)."


class LimitedHub(Hub):
    """Counts manifests by GET for an account or ``ADDRESS``, and tells so; above it says 429."""

    def __init__(self, edge: Edge, limit: int = 100) -> None:
        super().__init__(edge)
        self.limit = limit
        self.used: Counter[str] = Counter()

    def _content(self, request: Any, repository: str, kind: str, last: str) -> bytes:
        if kind != "manifests":
            return super()._content(request, repository, kind, last)
        user = request.getHeader("authorization").removeprefix("Bearer ").partition(":")[0]
        source = ADDRESS if user == "anonymous" else f"{user}-id"
        is_refused = request.method == b"GET" and self.used[source] >= self.limit
        if request.method == b"GET" and not is_refused:
            self.used[source] += 1
        request.setHeader("ratelimit-limit", f"{self.limit};w=21600")
        request.setHeader("ratelimit-remaining", f"{self.limit - self.used[source]};w=21600")
        request.setHeader("docker-ratelimit-source", source)
        if not is_refused:
            return super()._content(request, repository, kind, last)
        request.setResponseCode(429)
        request.setHeader("Retry-After", "77")
        return WORDS
