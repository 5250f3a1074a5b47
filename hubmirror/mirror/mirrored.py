"""One registry as this mirror has it: what is kept of it, and the way to it."""

from __future__ import annotations

from attrs import frozen

from hubmirror.errors import NotFound
from hubmirror.mirror.blobs import Blobs
from hubmirror.mirror.kept import passed_on
from hubmirror.mirror.listings import Listings
from hubmirror.mirror.manifests import Manifests
from hubmirror.mirror.negatives import Negatives
from hubmirror.mirror.origin import IOrigin
from hubmirror.mirror.outage import IDoorway
from hubmirror.mirror.prefetch import Prefetch
from hubmirror.mirror.search import Searches
from hubmirror.mirror.tags import Tags
from hubmirror.naming import Digest, Tag
from hubmirror.question import (
    Answer,
    BlobRequest,
    ManifestRequest,
    Ping,
    Question,
    ReferrersRequest,
    SearchRequest,
    TagsRequest,
    TokenRequest,
)

__all__ = ["MirroredRegistry"]


@frozen
class MirroredRegistry:
    """Answers with what is kept, what the upstream confirms, what is stale, and at last the

    upstream itself; the last alone where nothing is to be kept (``keeps``). ``is_account``: the
    mirror has an account of its own there; ``is_metered``: that registry limits pulls.
    """

    origin: IOrigin
    doorway: IDoorway
    manifests: Manifests
    tags: Tags
    blobs: Blobs
    listings: Listings
    negatives: Negatives
    prefetch: Prefetch
    searches: Searches | None = None
    keeps: bool = True
    is_account: bool = False
    is_metered: bool = True

    async def answer(self, question: Question, way: IOrigin) -> Answer:
        """The answer to ``question``, for which ``way`` leads upstream.

        Raises a ``RegistryError``.
        """
        match question.subject:
            case ManifestRequest() | BlobRequest() | TagsRequest() | ReferrersRequest() if (
                self.keeps
            ):
                return await self._content(question, way)
            case Ping():
                return await self.doorway.ping(question, way)
            case TokenRequest() as request:
                return await self.doorway.token(question, request, way)
            case SearchRequest() as request:
                if self.searches is None:
                    raise NotFound
                return await self.searches.answer(request, way)
        return passed_on(await way.ask(question))

    async def _content(self, question: Question, way: IOrigin) -> Answer:
        self.prefetch.seen(question)
        negative = None if question.no_cache else self.negatives.find(question)
        if negative is not None:
            return negative
        answer = await self._kept_or_fetched(question, way)
        return answer if answer.status != 404 else await self.negatives.keep(question, answer)

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
