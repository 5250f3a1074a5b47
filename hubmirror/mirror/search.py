"""Searching the registry by words, as ``docker search`` does: asked upstream, and kept for a while.

Source: Docker Registry API v1, "Search" (``GET /v1/search?q=&n=``), which Docker Hub serves on a
host of its own. What comes from there ends in terminals, so it is parsed, and written anew.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from attrs import frozen
from twisted.internet.defer import Deferred

from hubmirror.coordination.flights import IFlights
from hubmirror.errors import NameInvalid, NotFound, TooManyRequests, UpstreamFailure
from hubmirror.mirror.kept import Freshness
from hubmirror.mirror.origin import IOrigin
from hubmirror.mirror.patience import IPatience
from hubmirror.naming import Repository
from hubmirror.question import Answer, Outcome, SearchRequest
from hubmirror.upstream.body import read
from hubmirror.upstream.client import Reply, UpstreamClient
from hubmirror.upstream.redirects import follow
from hubmirror.upstream.url import origin_of

__all__ = ["Searches", "parse_found"]

#: How long found images are fresh, in seconds, and how much of them is kept in memory, in bytes.
FRESH: Final = 300.0
MOST_KEPT: Final = 4 * 1024 * 1024
#: The longest answer of the upstream, and the longest description, in bytes and characters.
MAX_ANSWER: Final = 1024 * 1024
MAX_DESCRIPTION: Final = 512

_JSON: Final = ("Content-Type", "application/json")
_MOST_STARS: Final = 2**31 - 1
_FIELDS: Final = (("Accept", "application/json"), ("User-Agent", "hubmirror"))


@frozen
class _Kept:
    body: bytes
    asked: float


class Searches:
    """Asks at ``url``, a scheme and an authority; None: this registry has no search.

    No credential goes there, whoever asks. ``now`` is in seconds since the epoch.
    """

    def __init__(
        self,
        client: UpstreamClient,
        url: str | None,
        flights: IFlights,
        patience: IPatience,
        now: Callable[[], float],
    ) -> None:
        self._client = client
        self._url = url
        self._flights = flights
        self._patience = patience
        self._now = now
        self._kept: OrderedDict[SearchRequest, _Kept] = OrderedDict()
        self._size = 0

    async def answer(self, request: SearchRequest, origin: IOrigin) -> Answer:
        """What is found, as JSON: what is kept while it is fresh, or while nothing else can be had.

        Raises ``NotFound`` where there is no search, ``UpstreamFailure``, ``TooManyRequests``.
        """
        if self._url is None:
            raise NotFound("this mirror's upstream has no search: search_upstream sets one")
        kept = self._kept.get(request)
        age = 0.0 if kept is None else self._now() - kept.asked
        if kept is not None and 0 <= age < FRESH:
            self._kept.move_to_end(request)
            return _answer(kept.body, Freshness(age, FRESH))
        if kept is None:
            origin.admit()
            return _found(await self._joined(self._url, request))
        return await self._renewed(self._url, request, kept, origin)

    async def _renewed(
        self, url: str, request: SearchRequest, kept: _Kept, origin: IOrigin
    ) -> Answer:
        renewed: bytes | None = None
        try:
            origin.admit()
            renewed = await self._patience.wait(self._joined(url, request))
        except TooManyRequests:
            pass
        if renewed is not None:
            return _found(renewed)
        warning = "the upstream can't be asked: this may be outdated"
        return _answer(kept.body, Freshness(self._now() - kept.asked, FRESH, warning))

    def _joined(self, url: str, request: SearchRequest) -> Deferred[bytes]:
        """Asked once for all who ask the same."""
        return self._flights.join(("search", request), lambda: self._fetch(url, request))

    async def _fetch(self, url: str, request: SearchRequest) -> bytes:
        query = urlencode({"q": request.term, "n": request.count}, quote_via=quote, safe="")
        reply = await follow(self._client, "GET", f"{url}/v1/search?{query}", _FIELDS)
        if reply.status != 200:
            reply.body.discard()
            raise _refusal(reply)
        found = parse_found(await read(reply.body, MAX_ANSWER), request, origin_of(url).host)
        body = json.dumps(found).encode() + b"\n"
        self._keep(request, _Kept(body, self._now()))
        return body

    def _keep(self, request: SearchRequest, found: _Kept) -> None:
        old = self._kept.pop(request, None)
        self._size += _cost(request, found) - (0 if old is None else _cost(request, old))
        self._kept[request] = found
        while self._size > MOST_KEPT:
            self._size -= _cost(*self._kept.popitem(last=False))


def parse_found(body: bytes, request: SearchRequest, host: str) -> Mapping[str, Any]:
    """What the answer ``body`` of ``host`` tells, as the API has it: names within the grammar,

    text that can be printed, at most as many as were asked for. Raises ``UpstreamFailure``.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, list):
        raise UpstreamFailure(f"{host} answered a search with something else than what it found")
    found = [entry for one in results[: request.count] if (entry := _entry(one)) is not None]
    return {"query": request.term, "num_results": len(found), "results": found}


def _entry(found: Any) -> dict[str, Any] | None:
    match found:
        case {"name": str(name), **rest} if _is_name(name):
            return {
                "name": name,
                "description": _printable(rest.get("description")),
                "star_count": _stars(rest.get("star_count")),
                "is_official": rest.get("is_official") is True,
                "is_automated": rest.get("is_automated") is True,
            }
    return None


def _is_name(name: str) -> bool:
    try:
        Repository("", name)
    except NameInvalid:
        return False
    return True


def _printable(description: object) -> str:
    """On one line, without what a terminal might take for a command."""
    text = " ".join(description.split()) if isinstance(description, str) else ""
    return "".join(filter(str.isprintable, text[: 2 * MAX_DESCRIPTION]))[:MAX_DESCRIPTION]


def _stars(count: object) -> int:
    is_number = isinstance(count, int) and not isinstance(count, bool)
    return min(max(int(str(count)), 0), _MOST_STARS) if is_number else 0


def _refusal(reply: Reply) -> UpstreamFailure | TooManyRequests:
    host = origin_of(reply.url).host
    again = reply.header("Retry-After")
    headers = {} if again is None else {"Retry-After": again}
    if reply.status == 429:
        return TooManyRequests(f"{host} takes no more searches just now", headers=headers)
    return UpstreamFailure(f"{host} answered a search with {reply.status}", headers=headers)


def _found(body: bytes) -> Answer:
    stored = ("Cache-Status", "hubmirror; fwd=miss; stored")
    return Answer(200, (_JSON, stored), body, outcome=Outcome.MISS)


def _answer(body: bytes, freshness: Freshness) -> Answer:
    headers = (_JSON, *freshness.headers())
    return Answer(200, headers, body, outcome=freshness.outcome)


def _cost(request: SearchRequest, found: _Kept) -> int:
    return len(found.body) + 4 * len(request.term) + 256
