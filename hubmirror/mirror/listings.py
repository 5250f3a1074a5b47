"""Pages of ``tags/list`` and ``referrers``: kept as the upstream gave them, fresh like tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from attrs import evolve, frozen
from twisted.internet.defer import Deferred

from hubmirror.cache.interfaces import IIndex, Listing
from hubmirror.coordination.flights import IFlights
from hubmirror.mirror.kept import Freshness, passed_on
from hubmirror.mirror.origin import IOrigin
from hubmirror.mirror.patience import IPatience
from hubmirror.mirror.rights import Rights
from hubmirror.mirror.tags import TagTimes
from hubmirror.question import Answer, Question, ReferrersRequest, TagsRequest
from hubmirror.upstream.body import read

__all__ = ["Listings"]

#: The largest page that is kept, in bytes.
MAX_PAGE: Final = 4 * 1024 * 1024
#: The fields of an answer that belong to its page.
KEPT_FIELDS: Final = frozenset({"content-type", "link", "oci-filters-applied"})


@frozen(eq=False)
class Listings:
    """What a repository has, as far as this mirror and its upstream can tell."""

    _index: IIndex
    _rights: Rights
    _flights: IFlights
    _patience: IPatience
    _now: Callable[[], float]
    _times: TagTimes

    async def answer(
        self, question: Question, request: TagsRequest | ReferrersRequest, origin: IOrigin
    ) -> Answer:
        """The answer to a question for a page."""
        kept = await self._index.listing(request.repository, _key(request))
        if kept is None or not await self._rights.allows(question, request.repository, origin):
            if question.method != "GET":
                return passed_on(await origin.ask(question))
            return await self._fetch(question, request, origin)
        age = self._now() - kept.checked
        if 0 <= age < self._times.fresh:
            return self._hit(kept)
        fetching = self._renew(question, request, origin)
        if 0 <= age < self._times.fresh + self._times.checked_behind:
            self._patience.leave_behind(fetching)
            return self._hit(kept)
        renewed: Answer | None = await self._patience.wait(fetching)
        if renewed is None or renewed.status == 429 or renewed.status >= 500:
            return self._hit(kept, "the upstream can't be asked: this may be outdated")
        return renewed

    def _renew(
        self, question: Question, request: TagsRequest | ReferrersRequest, origin: IOrigin
    ) -> Deferred[Answer]:
        """The upstream's page now, asked once for all who would ask the same."""
        key = ("listing", request.repository, _key(request), question.credential)
        plain = evolve(question, method="GET", if_none_match=None)
        return self._flights.join(key, lambda: self._fetch(plain, request, origin, whole=True))

    async def _fetch(
        self,
        question: Question,
        request: TagsRequest | ReferrersRequest,
        origin: IOrigin,
        *,
        whole: bool = False,
    ) -> Answer:
        """The upstream's answer; a page is kept. ``whole``: read, for several to send it."""
        reply = await origin.ask(question)
        if reply.status != 200:
            body = await read(reply.body, MAX_PAGE) if whole else reply.body
            return evolve(passed_on(reply), body=body)
        body = await read(reply.body, MAX_PAGE)
        headers = tuple(pair for pair in reply.headers if pair[0].lower() in KEPT_FIELDS)
        await self._index.put_listing(
            Listing(request.repository, _key(request), headers, body, self._now())
        )
        return evolve(passed_on(reply, "fwd=miss; stored"), body=body)

    def _hit(self, kept: Listing, warning: str | None = None) -> Answer:
        freshness = Freshness(self._now() - kept.checked, self._times.fresh, warning)
        headers = (*kept.headers, *freshness.headers())
        return Answer(200, headers, kept.body, outcome=freshness.outcome)


def _key(request: TagsRequest | ReferrersRequest) -> str:
    query = urlencode(sorted(request.query))
    if isinstance(request, ReferrersRequest):
        return f"referrers/{request.digest}?{query}"
    return f"tags?{query}"
