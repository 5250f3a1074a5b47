"""The one place where a question gets its answer."""

from __future__ import annotations

from attrs import frozen

from hubmirror.errors import TooManyRequests
from hubmirror.mirror.blobs import Blobs
from hubmirror.mirror.kept import passed_on
from hubmirror.mirror.listings import Listings
from hubmirror.mirror.manifests import Manifests
from hubmirror.mirror.negatives import Negatives
from hubmirror.mirror.origin import IOrigin, SpentOrigin
from hubmirror.mirror.outage import Doorway
from hubmirror.mirror.prefetch import Prefetch
from hubmirror.mirror.tags import Tags
from hubmirror.naming import Digest, Tag
from hubmirror.question import (
    Answer,
    BlobRequest,
    ManifestRequest,
    Ping,
    Preflight,
    Question,
    ReferrersRequest,
    Refusal,
    TagsRequest,
    TokenRequest,
)
from hubmirror.quota.daily import DailyQuota

__all__ = ["Mirror"]


@frozen
class Mirror:
    """Decides in one order, for every way that a question comes in: quota, right, then what is

    kept, what the upstream confirms, what is stale, and at last the upstream itself; the last
    alone where nothing is to be kept (``keeps``). ``answer`` raises a ``RegistryError`` for
    whatever is refused or fails.
    """

    quota: DailyQuota
    origin: IOrigin
    doorway: Doorway
    manifests: Manifests
    tags: Tags
    blobs: Blobs
    listings: Listings
    negatives: Negatives
    prefetch: Prefetch
    keeps: bool = True

    async def answer(self, question: Question) -> Answer:
        """The answer to ``question``; cancelling it ends what only this client wanted."""
        way = self._way_upstream()
        match question.subject:
            case Refusal(error):
                raise error
            case Preflight():
                return Answer(204)
            case Ping():
                return await self.doorway.ping(question, way)
            case TokenRequest() as request:
                return await self.doorway.token(question, request, way)
            case ManifestRequest() | BlobRequest() | TagsRequest() | ReferrersRequest() if (
                self.keeps
            ):
                return await self._content(question, way)
        return passed_on(await way.ask(question))

    def _way_upstream(self) -> IOrigin:
        """Count the question. Once the day's are spent, it does not get past what is kept."""
        try:
            self.quota.spend()
        except TooManyRequests as spent:
            return SpentOrigin(spent)
        return self.origin

    async def _content(self, question: Question, way: IOrigin) -> Answer:
        if not self.keeps:
            return passed_on(await way.ask(question))
        self.prefetch.seen(question)
        negative = None if question.no_cache else self.negatives.find(question)
        if negative is not None:
            return negative
        return await self.negatives.keep(question, await self._kept_or_fetched(question, way))

    async def _kept_or_fetched(self, question: Question, way: IOrigin) -> Answer:
        match question.subject:
            case ManifestRequest(repository, Tag() as tag):
                return await self.tags.answer(question, repository, tag, way)
            case ManifestRequest(_, Digest() as digest):
                return await self.manifests.answer(question, digest, way)
            case BlobRequest() as request:
                return await self.blobs.answer(question, request, way)
            case TagsRequest() | ReferrersRequest() as request:
                return await self.listings.answer(question, request, way)
        raise TypeError(f"{type(question.subject).__name__} is no content")
