"""The one place where a question gets its answer."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from hubmirror.errors import NotFound, RegistryError
from hubmirror.mirror.blobs import Blobs
from hubmirror.mirror.kept import passed_on
from hubmirror.mirror.listings import Listings
from hubmirror.mirror.manifests import Manifests
from hubmirror.mirror.metering import MeteredOrigin
from hubmirror.mirror.negatives import Negatives
from hubmirror.mirror.origin import IOrigin, SpentOrigin
from hubmirror.mirror.outage import IDoorway
from hubmirror.mirror.prefetch import Prefetch
from hubmirror.mirror.search import Searches
from hubmirror.mirror.tags import Tags
from hubmirror.naming import Digest, Tag
from hubmirror.question import (
    Answer,
    BlobRequest,
    ManifestRequest,
    Outcome,
    Ping,
    Preflight,
    Question,
    ReferrersRequest,
    Refusal,
    SearchRequest,
    TagsRequest,
    TokenRequest,
)
from hubmirror.quota.pulls import OURS
from hubmirror.quota.quota import Charge, IQuota
from hubmirror.tokens.holders import IHolders

__all__ = ["Mirror"]

#: Statuses by which a limit or a rule refuses, ours or the upstream's.
REFUSALS: Final = (403, 429)


@frozen
class Mirror:
    """Decides in one order, for every way that a question comes in: quota, right, then what is

    kept, what the upstream confirms, what is stale, and at last the upstream itself; the last
    alone where nothing is to be kept (``keeps``). ``answer`` raises a ``RegistryError`` for
    whatever is refused or fails.
    """

    quota: IQuota
    holders: IHolders
    origin: IOrigin
    doorway: IDoorway
    manifests: Manifests
    tags: Tags
    blobs: Blobs
    listings: Listings
    negatives: Negatives
    prefetch: Prefetch
    keeps: bool = True
    is_account: bool = False
    searches: Searches | None = None

    def admit(self, question: Question) -> Charge:
        """Count ``question``: for who tells the charge what was sent, after the ``answer``."""
        return self.quota.admit(question, self.holders.user_of(question.credential))

    async def answer(self, question: Question, charge: Charge | None = None) -> Answer:
        """The answer to ``question``; cancelling it ends what only this client wanted."""
        charge = charge or self.admit(question)
        outcome = Outcome.ERROR
        try:
            answer = await self._decided(question, charge)
            outcome = _outcome_of(answer)
            return answer
        except RegistryError as error:
            if error.status in REFUSALS:
                outcome = Outcome.REFUSED
            raise
        finally:
            charge.settle(outcome)

    async def _decided(self, question: Question, charge: Charge) -> Answer:
        way = self._way_upstream(charge)
        match question.subject:
            case ManifestRequest() | BlobRequest() | TagsRequest() | ReferrersRequest() if (
                self.keeps
            ):
                return await self._content(question, way)
            case Refusal(error):
                raise error
            case Preflight():
                return Answer(204)
            case Ping():
                return await self.doorway.ping(question, way)
            case TokenRequest() as request:
                return await self.doorway.token(question, request, way)
            case SearchRequest() as request:
                if self.searches is None:
                    raise NotFound
                return await self.searches.answer(request, way)
        return passed_on(await way.ask(question))

    def _way_upstream(self, charge: Charge) -> IOrigin:
        """Who has spent what there is for him does not get past what is kept, if to that."""
        if charge.refusal is None:
            user = charge.spender.user
            payer = OURS if user is None or self.is_account else user
            return MeteredOrigin(
                self.origin, self.quota, charge.spender, payer, is_account=self.is_account
            )
        if charge.is_final:
            raise charge.refusal
        return SpentOrigin(charge.refusal)

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


def _outcome_of(answer: Answer) -> Outcome:
    if answer.status in REFUSALS:
        return Outcome.REFUSED
    return Outcome.ERROR if answer.status >= 500 else answer.outcome
