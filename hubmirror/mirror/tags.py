"""Manifests by tag: fresh for a while, then confirmed by one HEAD for all who ask.

Source: RFC 5861 for answering while a check goes on behind, RFC 9111 for stale answers.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from attrs import evolve, frozen
from twisted.internet.defer import Deferred

from hubmirror.cache.interfaces import IIndex, TagEntry
from hubmirror.coordination.flights import IFlights
from hubmirror.errors import ManifestUnknown
from hubmirror.mirror.accepting import choose, variant_of
from hubmirror.mirror.kept import Freshness, passed_on
from hubmirror.mirror.manifests import KeptManifest, Manifests, digest_told_by
from hubmirror.mirror.origin import IOrigin, unconditional_head
from hubmirror.mirror.patience import IPatience
from hubmirror.mirror.rights import Rights
from hubmirror.naming import Digest, Repository, Tag
from hubmirror.question import Answer, Body, FileSlice, GrowingSlice, Question
from hubmirror.upstream.client import Reply

__all__ = ["TagTimes", "Tags"]

#: What people are told of an answer that is older than it should be.
CANT_BE_ASKED: Final = "the upstream can't be asked: this may be outdated"
PULL_SPARED: Final = "Docker Hub's pull limit is nearly spent: this is outdated"


@frozen
class TagTimes:
    """In seconds. ``fresh``: answered without asking. ``checked_behind``: after that, answered at

    once and checked behind. ``stale_for``: how long beyond its freshness a tag may be served
    while the upstream can't be asked (None: as long as that lasts). ``keep_deleted``: whether a
    tag that the upstream has removed is served on.
    """

    fresh: float
    checked_behind: float
    stale_for: float | None
    keep_deleted: bool


class _Verdict(Enum):
    """What the upstream says of a tag, where that is no entry: that it is not there, that it is

    not for us, that it is another now, which would cost a pull too many.
    """

    GONE = auto()
    LOST = auto()
    SPARED = auto()


@frozen(eq=False)
class Tags:
    """What a tag is now, as far as this mirror and its upstream can tell."""

    _index: IIndex
    _manifests: Manifests
    _rights: Rights
    _flights: IFlights
    _patience: IPatience
    _now: Callable[[], float]
    _times: TagTimes

    async def answer(
        self, question: Question, repository: Repository, tag: Tag, origin: IOrigin
    ) -> Answer:
        """The answer to a question for a manifest by tag."""
        entry = choose(await self._index.tag(repository, tag.text), question.accept)
        kept = None if entry is None else await self._manifests.kept(repository, entry.digest)
        if entry is None or kept is None:
            return await self._miss(question, repository, tag, origin)
        if not await self._rights.allows(question, repository, origin):
            return await self._miss(question, repository, tag, origin)
        age = self._now() - entry.checked
        may_be_old = age >= 0 and not question.no_cache
        if may_be_old and age < self._times.fresh:
            return self._hit(question, entry, kept)
        checking = self._check(question, entry, origin)
        if may_be_old and age < self._times.fresh + self._times.checked_behind:
            self._patience.leave_behind(checking)
            return self._hit(question, entry, kept)
        return await self._checked(question, entry, kept, origin, checking)

    async def _checked(
        self,
        question: Question,
        entry: TagEntry,
        kept: KeptManifest,
        origin: IOrigin,
        checking: Deferred[TagEntry | _Verdict | None],
    ) -> Answer:
        found = await self._patience.wait(checking)
        if found is _Verdict.GONE:
            raise ManifestUnknown(detail={"tag": entry.tag})
        if found is _Verdict.LOST:
            return await self._miss(question, entry.repository, Tag(entry.tag), origin)
        if isinstance(found, TagEntry):
            current = await self._manifests.kept(entry.repository, found.digest)
            if current is not None:
                return self._hit(question, found, current)
        warning = PULL_SPARED if found is _Verdict.SPARED else CANT_BE_ASKED
        return await self._stale(question, entry, kept, origin, warning)

    async def _stale(
        self,
        question: Question,
        entry: TagEntry,
        kept: KeptManifest,
        origin: IOrigin,
        warning: str,
    ) -> Answer:
        bound = self._times.stale_for
        if bound is not None and self._now() - entry.checked > self._times.fresh + bound:
            return await self._miss(question, entry.repository, Tag(entry.tag), origin)
        return self._hit(question, entry, kept, warning)

    def _hit(
        self,
        question: Question,
        entry: TagEntry,
        kept: KeptManifest,
        warning: str | None = None,
    ) -> Answer:
        if entry.deleted:
            warning = "the upstream has removed this tag: this is what it was"
        age = self._now() - entry.checked
        return self._manifests.hit(question, kept, Freshness(age, self._times.fresh, warning))

    async def _miss(
        self, question: Question, repository: Repository, tag: Tag, origin: IOrigin
    ) -> Answer:
        """The upstream's answer; what it tells of the tag is kept."""
        if question.method == "HEAD":
            reply = await origin.ask(question)
            if await self._learn(question, repository, tag.text, reply) is not None:
                await self._rights.note(question, repository, origin)
            return passed_on(reply)
        answer, manifest = await self._manifests.fetch(question, origin)
        if manifest is not None:
            await self._put(question, repository, tag.text, manifest.digest, manifest.media_type)
        return answer

    async def _learn(
        self, question: Question, repository: Repository, tag: str, reply: Reply
    ) -> TagEntry | None:
        digest = digest_told_by(reply)
        if reply.status != 200 or digest is None:
            return None
        media_type = (reply.header("Content-Type") or "").partition(";")[0].strip()
        return await self._put(question, repository, tag, digest, media_type)

    async def _put(
        self, question: Question, repository: Repository, tag: str, digest: Digest, media_type: str
    ) -> TagEntry:
        variant = variant_of(question.accept, media_type)
        entry = TagEntry(repository, tag, variant, digest, media_type, self._now())
        await self._index.put_tag(entry)
        return entry

    def _check(
        self, question: Question, entry: TagEntry, origin: IOrigin
    ) -> Deferred[TagEntry | _Verdict | None]:
        """Ask the upstream what the tag is now: once for all who would ask the same.

        Fires with the entry as it is from now on, or with what else the upstream says; with
        None where it says nothing of use.
        """
        head = unconditional_head(question)

        async def ask() -> TagEntry | _Verdict | None:
            is_public = await self._rights.is_public(head, entry.repository, origin)
            way = origin.as_mirror() if is_public else origin
            reply = await way.ask(head)
            reply.body.discard()
            if reply.status == 200:
                return await self._confirm(head, entry, way, reply)
            return await self._denied(entry, reply, is_public=is_public)

        key = ("tag", entry.repository, entry.tag, entry.variant, question.credential)
        return self._flights.join((*key, origin.spares_pulls()), ask)

    async def _confirm(
        self, head: Question, entry: TagEntry, way: IOrigin, reply: Reply
    ) -> TagEntry | _Verdict | None:
        """The tag is still there: the same as before, or another, which costs a pull."""
        digest = digest_told_by(reply)
        if digest == entry.digest:
            confirmed = evolve(entry, checked=self._now(), deleted=False)
            await self._index.put_tag(confirmed)
            return confirmed
        if way.spares_pulls():
            return _Verdict.SPARED
        answer, manifest = await self._manifests.fetch(evolve(head, method="GET"), way)
        if manifest is None:
            _discard(answer.body)
            return None
        return await self._put(
            head, entry.repository, entry.tag, manifest.digest, manifest.media_type
        )

    async def _denied(
        self, entry: TagEntry, reply: Reply, *, is_public: bool
    ) -> TagEntry | _Verdict | None:
        if reply.status in (401, 403):
            if not is_public or not await self._rights.no_longer_public(entry.repository):
                return _Verdict.LOST
            return await self._removed(entry)  # an operator has pinned it
        if reply.status != 404:
            return None
        if not self._times.keep_deleted:
            await self._index.drop_tag(entry.repository, entry.tag)
            return _Verdict.GONE
        return await self._removed(entry)

    async def _removed(self, entry: TagEntry) -> TagEntry:
        removed = evolve(entry, checked=self._now(), deleted=True)
        await self._index.put_tag(removed)
        return removed


def _discard(body: Body) -> None:
    """What the upstream says beside a manifest is for nobody here."""
    if not isinstance(body, bytes | FileSlice | GrowingSlice):
        body.discard()
