"""The blobs that are on their way, and the repositories whose own upstream gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final

from twisted.internet.defer import Deferred, gatherResults

from hubmirror.cache.interfaces import BlobRow, IIndex, Link
from hubmirror.naming import Digest, Repository

__all__ = ["Arrivals"]

#: So many blobs on their way are a reason to look for those that never came.
MANY: Final = 1000


class Arrivals:
    """Lives as long as the store: a fetch outlives the client and the configuration it began by."""

    def __init__(self, index: IIndex, now: Callable[[], float]) -> None:
        self._index = index
        self._now = now
        self._given: dict[Digest, set[Repository]] = {}
        self._asking: Counter[Digest] = Counter()
        self._keeping: Counter[Digest] = Counter()

    def is_expected(self, digest: Digest) -> bool:
        """Whether somebody has begun to fetch the blob."""
        return digest in self._given

    def is_given(self, digest: Digest, repository: Repository) -> bool:
        """Whether ``repository``'s upstream has given or confirmed it."""
        return repository in self._given.get(digest, ())

    def repositories(self, digest: Digest) -> frozenset[Repository]:
        """The repositories whose upstream has given or confirmed the blob that is on its way."""
        return frozenset(self._given.get(digest, ()))

    def expect(self, digest: Digest, *repositories: Repository) -> None:
        """Somebody fetches the blob; ``repositories`` have it."""
        self._given.setdefault(digest, set()).update(repositories)

    @contextmanager
    def asking(self, digest: Digest) -> Iterator[None]:
        """As long as this lasts, the upstream may be about to give the blob: it is expected."""
        self.expect(digest)
        self._asking[digest] += 1
        try:
            yield
        finally:
            self._asking[digest] -= 1
            if not self._asking[digest]:
                del self._asking[digest]

    @contextmanager
    def keeping(self, digest: Digest) -> Iterator[None]:
        """As long as this lasts, content that came whole is being kept, file first and then row."""
        self._keeping[digest] += 1
        try:
            yield
        finally:
            self._keeping[digest] -= 1
            if not self._keeping[digest]:
                del self._keeping[digest]

    def is_in_use(self, digest: Digest) -> bool:
        """Whether the digest must not be evicted: it is on its way, or just being kept."""
        return self.is_expected(digest) or digest in self._keeping

    async def committed(self, digest: Digest, size: int) -> None:
        """The blob is kept: index it, and link it to those whose upstream gave it."""
        linked = set(self._given.get(digest, ()))
        # All at once: they share one commit, which costs an fsync.
        row = self._index.put_blob(BlobRow(digest, size, self._now()))
        await gatherResults([row, *(self._link(each, digest) for each in linked)])
        for late in self._given.pop(digest, set()) - linked:
            await self._link(late, digest)

    def _link(self, repository: Repository, digest: Digest) -> Deferred[None]:
        return self._index.put_link(Link(repository, digest, None))

    def forget_all_but(self, running: Collection[Digest]) -> None:
        """Fetches that fail tell nobody: drop what is no more among ``running``.

        What somebody is ``asking`` for stays: else the next one would be taken for the first,
        and be let in by the other's right.
        """
        if len(self._given) > MANY:
            kept = {*running, *self._asking}
            self._given = {d: given for d, given in self._given.items() if d in kept}
