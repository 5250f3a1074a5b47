"""Manifests under their digest: kept for ever, and fetched where they are not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from attrs import evolve, frozen
from twisted.logger import Logger

from hubmirror.cache.errors import StoreFailed, StoreFull
from hubmirror.cache.interfaces import BlobRow, IBlobStore, IIndex, Link
from hubmirror.errors import RegistryError, UpstreamFailure
from hubmirror.mirror.accepting import accepts
from hubmirror.mirror.arrivals import Arrivals
from hubmirror.mirror.kept import (
    FOREVER,
    Freshness,
    content_headers,
    is_not_modified,
    passed_on,
)
from hubmirror.mirror.origin import IOrigin
from hubmirror.mirror.rights import Rights
from hubmirror.naming import Digest, Repository, parse_digest
from hubmirror.question import Answer, ManifestRequest, Question
from hubmirror.upstream.body import read
from hubmirror.upstream.client import Reply

__all__ = ["KeptManifest", "Manifests", "digest_told_by"]

#: The largest manifest that is kept, in bytes: what the spec asks registries to take at least.
MAX_MANIFEST: Final = 4 * 1024 * 1024


@frozen
class KeptManifest:
    """A manifest that is at hand: its bytes, verified when they were kept."""

    digest: Digest
    media_type: str
    body: bytes


#: Told of what came, by which question, and on which way.
Fetched = Callable[[Question, KeptManifest, IOrigin], None]


@frozen(eq=False)
class Manifests:
    """What a repository's own upstream gave, under its digest.

    ``fetched`` is told of each manifest that a client has just got from the upstream.
    """

    _log = Logger()
    _index: IIndex
    _blobs: IBlobStore
    _rights: Rights
    _arrivals: Arrivals
    _now: Callable[[], float]
    _fetched: Fetched

    async def answer(self, question: Question, digest: Digest, origin: IOrigin) -> Answer:
        """The answer to a question for a manifest by digest."""
        repository = _repository(question)
        kept = await self.kept(repository, digest)
        if kept is None or not accepts(question.accept, kept.media_type):
            return (await self.fetch(question, origin))[0]
        if not await self._rights.allows(question, repository, origin):
            return (await self.fetch(question, origin))[0]
        return self.hit(question, kept, Freshness(0, FOREVER))

    async def kept(self, repository: Repository, digest: Digest) -> KeptManifest | None:
        """The manifest, if this very repository's upstream gave it and it is here."""
        link = await self._index.link(repository, digest)
        if link is None or link.media_type is None:
            return None
        body = await self._blobs.read(digest)
        if body is None:
            return None
        await self._index.touch([digest], self._now())
        return KeptManifest(digest, link.media_type, body)

    def hit(self, question: Question, kept: KeptManifest, freshness: Freshness) -> Answer:
        """The answer from what is kept."""
        headers = (*content_headers(kept.digest, kept.media_type), *freshness.headers())
        if is_not_modified(question.if_none_match, kept.digest):
            return Answer(304, headers, outcome=freshness.outcome)
        return Answer(200, headers, kept.body, outcome=freshness.outcome)

    async def fetch(
        self, question: Question, origin: IOrigin
    ) -> tuple[Answer, KeptManifest | None]:
        """The upstream's own answer, and what of it is kept now.

        Raises ``UpstreamFailure`` where a manifest has not the digest that it should have.
        """
        reply = await origin.ask(question)
        length = reply.body.length
        if question.method != "GET" or reply.status != 200 or (length or 0) > MAX_MANIFEST:
            return passed_on(reply), None
        manifest = await self._read(question, reply)
        is_kept = await self.keep(_repository(question), manifest)
        if is_kept:
            await self._rights.note(question, _repository(question), origin)
        self._fetched(question, manifest, origin)
        answer = evolve(passed_on(reply, "fwd=miss; stored"), body=manifest.body)
        if answer.header("Docker-Content-Digest") is None:
            named = ("Docker-Content-Digest", str(manifest.digest))
            answer = evolve(answer, headers=(*answer.headers, named))
        return answer, manifest if is_kept else None

    async def keep(self, repository: Repository, manifest: KeptManifest) -> bool:
        """Keep what ``repository``'s upstream gave; False where the disk does not let us."""
        try:
            with self._arrivals.keeping(manifest.digest):
                await self._blobs.put(manifest.digest, manifest.body)
                row = BlobRow(manifest.digest, len(manifest.body), self._now())
                await self._index.put_blob(row)
                await self._index.put_link(Link(repository, manifest.digest, manifest.media_type))
        except (StoreFull, StoreFailed) as error:
            self._log.warn("a manifest is not kept: {why}", why=str(error))
            return False
        return True

    async def _read(self, question: Question, reply: Reply) -> KeptManifest:
        body = await read(reply.body, MAX_MANIFEST)
        expected = _expected_digest(question, reply)
        algorithm = "sha256" if expected is None else expected.algorithm
        digest = Digest(algorithm, hashlib.new(algorithm, body).hexdigest())
        if expected is not None and digest != expected:
            self._log.error(
                "a manifest of {got} came for {want}", got=str(digest), want=str(expected)
            )
            raise UpstreamFailure("the upstream gave a manifest that has not the right digest")
        media_type = reply.header("Content-Type") or "application/octet-stream"
        return KeptManifest(digest, media_type.partition(";")[0].strip(), body)


def _repository(question: Question) -> Repository:
    request = question.subject
    if not isinstance(request, ManifestRequest):
        raise TypeError("the question is not for a manifest")
    return request.repository


def _expected_digest(question: Question, reply: Reply) -> Digest | None:
    """What the client asked for, or else what the upstream says that it gave."""
    reference = getattr(question.subject, "reference", None)
    if isinstance(reference, Digest):
        return reference
    return digest_told_by(reply)


def digest_told_by(reply: Reply) -> Digest | None:
    """The digest in ``Docker-Content-Digest``, if there is one and it is one."""
    try:
        return parse_digest(reply.header("Docker-Content-Digest") or "")
    except RegistryError:
        return None
