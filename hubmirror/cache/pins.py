"""What operators have pinned: it is kept against eviction and deletion."""

from __future__ import annotations

from attrs import frozen

from hubmirror.cache.interfaces import IIndex
from hubmirror.naming import Digest, Repository

__all__ = ["Pins"]


@frozen
class Pins:
    """The pins at one moment, each a repository and a tag, a digest, or ``*``."""

    all: frozenset[tuple[Repository, str]]

    @classmethod
    async def read(cls, index: IIndex) -> Pins:
        """Those of now."""
        return cls(frozenset(await index.pins()))

    def holds(self, repository: Repository, tag: str | None, digest: Digest) -> bool:
        """Whether a pin keeps this image: its tag's, its digest's or its repository's."""
        return any((repository, each) in self.all for each in ("*", tag, str(digest)) if each)

    def forbid(self, repository: Repository, *references: str) -> bool:
        """Whether a pin is against removing one of these; ``*`` stands for the repository."""
        pinned = {reference for each, reference in self.all if each == repository}
        return bool(pinned if "*" in references else pinned.intersection((*references, "*")))
