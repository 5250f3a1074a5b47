"""A manifest that was fetched for a client: its config and layers are begun before it asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from hubmirror.cache.interfaces import IIndex
from hubmirror.cache.manifest import INDEX_TYPES, references
from hubmirror.fetching.failures import CannotKeep
from hubmirror.mirror.manifests import KeptManifest
from hubmirror.mirror.origin import IOrigin, repository_of
from hubmirror.mirror.patience import IPatience
from hubmirror.naming import Repository
from hubmirror.question import BlobRequest, Question
from hubmirror.upstream.blobs import Refused

__all__ = ["Bring", "Prefetch"]

#: How long a client may take to come back for a blob before nobody fetches for it, in seconds.
RETURN: Final = 30.0
#: How many blobs are fetched ahead at once, for all clients.
AT_ONCE: Final = 16
#: How many blobs of one manifest are fetched ahead.
PER_MANIFEST: Final = 64

#: Fetches a blob as a client's GET would, to nobody; fires when it is kept.
Bring = Callable[[Question, BlobRequest, IOrigin], Awaitable[None]]


@define(eq=False)
class _Errand:
    """What is fetched ahead for one client and repository."""

    works: list[Deferred[None]] = field(factory=list)
    timer: IDelayedCall | None = None


class Prefetch:
    """Begins the blobs of manifests that clients have just got; ends what nobody comes for."""

    def __init__(
        self,
        index: IIndex,
        fetch: Bring,
        patience: IPatience,
        clock: IReactorTime,
        *,
        is_on: bool,
    ) -> None:
        self._index = index
        self._fetch = fetch
        self._patience = patience
        self._clock = clock
        self._is_on = is_on
        self._turns = DeferredSemaphore(AT_ONCE)
        self._errands: dict[tuple[str, Repository], _Errand] = {}

    def begin(self, question: Question, manifest: KeptManifest, origin: IOrigin) -> None:
        """Start on what ``manifest`` refers to, if the client got it by a GET.

        An index does not say which platform the client is of: its manifest is waited for.
        """
        if not self._is_on or question.method != "GET" or manifest.media_type in INDEX_TYPES:
            return
        repository = repository_of(question)
        if repository is None:
            return
        errand = self._errands.setdefault((question.client.address, repository), _Errand())
        digests = [each.digest for each in references(manifest.media_type, manifest.body)]
        for digest in digests[:PER_MANIFEST]:
            request = BlobRequest(repository, digest)
            work = self._turns.run(self._one, question, request, origin)
            errand.works.append(work)
            self._patience.leave_behind(work)
        self._wait_again(question.client.address, repository, errand)

    def seen(self, question: Question) -> None:
        """A client asks for something: what is fetched ahead for it there goes on."""
        if not isinstance(question.subject, BlobRequest):
            return
        key = (question.client.address, question.subject.repository)
        errand = self._errands.get(key)
        if errand is not None:
            self._wait_again(*key, errand)

    def _one(self, question: Question, request: BlobRequest, origin: IOrigin) -> Deferred[None]:
        return Deferred.fromCoroutine(self._bring(question, request, origin))

    async def _bring(self, question: Question, request: BlobRequest, origin: IOrigin) -> None:
        if await self._index.blob(request.digest) is not None:
            return
        try:
            await self._fetch(question, request, origin)
        except (Refused, CannotKeep):
            return  # the client will be told when it asks itself

    def _wait_again(self, address: str, repository: Repository, errand: _Errand) -> None:
        if errand.timer is not None:
            errand.timer.reset(RETURN)
        else:
            errand.timer = self._clock.callLater(RETURN, self._give_up, (address, repository))

    def _give_up(self, key: tuple[str, Repository]) -> None:
        for work in self._errands.pop(key).works:
            work.cancel()

    def close(self) -> None:
        """End it all."""
        for key, errand in list(self._errands.items()):
            if errand.timer is not None:
                errand.timer.cancel()
            self._give_up(key)
