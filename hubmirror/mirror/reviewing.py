"""Answers on their way out: by rules about types and platforms, and without alien challenges."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from hubmirror.access.gate import IAccess
from hubmirror.access.refusals import denied
from hubmirror.cache.interfaces import IBlobStore, IIndex
from hubmirror.cache.manifest import INDEX_TYPES, references
from hubmirror.cache.platforms import spelled
from hubmirror.errors import DigestInvalid, ManifestInvalid
from hubmirror.naming import Digest, Repository, parse_digest
from hubmirror.question import Answer, Body, FileSlice, GrowingSlice, ManifestRequest, Question

__all__ = ["Platforms", "Reviewing"]

#: Of how many indexes the platforms are remembered.
REMEMBERED: Final = 1024


class Platforms:
    """What an image's manifest is for, as the indexes tell that are kept of its repository.

    A client gets to such a manifest by way of an index, which this mirror keeps then. What is in
    none of them tells of its platform only in its config: that is not known.
    """

    def __init__(self, index: IIndex, store: IBlobStore) -> None:
        self._index = index
        self._store = store
        self._known: OrderedDict[Digest, Mapping[Digest, str]] = OrderedDict()

    async def of(self, repository: Repository, digest: Digest) -> str | None:
        """``linux/arm/v7``; None where that is not known."""
        for link in await self._index.links(repository):
            if link.media_type in INDEX_TYPES:
                found = (await self._within(link.digest, link.media_type)).get(digest)
                if found is not None:
                    return found
        return None

    async def _within(self, digest: Digest, media_type: str) -> Mapping[Digest, str]:
        known = self._known.get(digest)
        if known is not None:
            return known
        body = await self._store.read(digest)
        if body is None:
            return {}
        self._known[digest] = found = _platforms(media_type, body)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found


class Reviewing:
    """Has ``access`` look at each manifest that is about to leave.

    Where clients log in here, an upstream that refuses the mirror itself refuses them: its
    challenge would have them show their login here again, for ever.
    """

    def __init__(self, access: IAccess, platforms: Platforms) -> None:
        self._access = access
        self._platforms = platforms

    async def passed(self, question: Question, answer: Answer) -> Answer:
        """``answer``, if it may go to who asks; raises ``Denied`` or ``Unauthorized``."""
        if answer.status == 401 and self._access.asks_for_logins:
            _drop(answer.body)
            raise denied()
        return await self._reviewed(question, answer) if self._access.is_about_content else answer

    async def _reviewed(self, question: Question, answer: Answer) -> Answer:
        request = question.subject
        if not isinstance(request, ManifestRequest) or answer.status not in (200, 304):
            return answer
        media_type = (answer.header("Content-Type") or "").partition(";")[0].strip().lower()
        platform = None
        digest = _digest(answer)
        if self._access.is_about_platforms and digest is not None:
            platform = await self._platforms.of(request.repository, digest)
        refusal = self._access.review(question, media_type or None, platform)
        if refusal is None:
            return answer
        _drop(answer.body)
        raise refusal


def _platforms(media_type: str, body: bytes) -> Mapping[Digest, str]:
    try:
        listed = references(media_type, body)
    except ManifestInvalid:
        return {}
    return {one.digest: spelled(one.platform) for one in listed if one.platform is not None}


def _digest(answer: Answer) -> Digest | None:
    try:
        return parse_digest(answer.header("Docker-Content-Digest") or "")
    except DigestInvalid:
        return None


def _drop(body: Body) -> None:
    """It is sent to nobody."""
    match body:
        case bytes():
            pass
        case FileSlice():
            body.close()
        case GrowingSlice():
            body.source.close()
        case _:
            body.discard()
