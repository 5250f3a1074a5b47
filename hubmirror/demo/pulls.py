"""Docker Hub's pull limit: manifests fetched by GET, for an account or an address."""

from __future__ import annotations

from collections import Counter

from attrs import define, field

from hubmirror.demo.errors import PullLimitReached
from hubmirror.question import Headers

__all__ = ["PullLimit"]

_WINDOW = 21600


@define
class PullLimit:
    """Counts pulls by source. ``is_enforced`` false: the headers tell, but nobody is refused."""

    limit: int = 100
    is_enforced: bool = False
    _used: Counter[str] = field(factory=Counter)

    def count(self, source: str) -> Headers:
        """Count a pull; gives the headers that tell of it. Raises ``PullLimitReached``."""
        if self.is_enforced and self._used[source] >= self.limit:
            raise PullLimitReached(headers=dict(self.fields(source)))
        self._used[source] += 1
        return self.fields(source)

    def fields(self, source: str) -> Headers:
        """The headers that tell where ``source`` stands; to be told so is free."""
        remaining = max(0, self.limit - self._used[source])
        return (
            ("ratelimit-limit", f"{self.limit};w={_WINDOW}"),
            ("ratelimit-remaining", f"{remaining};w={_WINDOW}"),
            ("docker-ratelimit-source", source),
        )
