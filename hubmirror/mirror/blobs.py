"""Blobs: kept under their digest, read while they are fetched, given where there is a right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import evolve, frozen

from hubmirror.cache.interfaces import IBlobStore, IIndex, Link
from hubmirror.errors import RegistryError
from hubmirror.fetching.failures import CannotKeep
from hubmirror.fetching.fetch import IFetcher
from hubmirror.mirror.arrivals import Arrivals
from hubmirror.mirror.kept import (
    FOREVER,
    Freshness,
    content_headers,
    forwarded,
    is_not_modified,
    passed_on,
)
from hubmirror.mirror.origin import IOrigin, unconditional_head
from hubmirror.mirror.ranges import Span, parse_range, range_hint
from hubmirror.mirror.rights import Rights
from hubmirror.naming import Digest
from hubmirror.question import (
    Answer,
    BlobRequest,
    Body,
    FileSlice,
    GrowingSlice,
    IGrowingFile,
    Outcome,
    Question,
)
from hubmirror.upstream.blobs import IRemoteBlob, Refused
from hubmirror.upstream.client import Reply

__all__ = ["Blobs"]

BLOB_TYPE = "application/octet-stream"

#: Makes the way to one blob at the upstream, from what is asked and how it may be asked.
RemoteBlobs = Callable[[Question, BlobRequest, IOrigin], Awaitable[IRemoteBlob]]


@frozen(eq=False)
class Blobs:
    """What a repository's own upstream gave or confirmed, whole or on its way.

    A manifest that names a digest gives no right to it: only a link does, or what the upstream
    is just giving.
    """

    _index: IIndex
    _store: IBlobStore
    _rights: Rights
    _fetcher: IFetcher
    _arrivals: Arrivals
    _remote: RemoteBlobs
    _now: Callable[[], float]

    async def answer(self, question: Question, request: BlobRequest, origin: IOrigin) -> Answer:
        """The answer to a question for a blob."""
        is_here = await self._index.blob(request.digest) is not None
        if not is_here and not self._arrivals.is_expected(request.digest):
            return await self._miss(question, request, origin)
        if not await self._may_have(question, request, origin):
            return passed_on(await origin.ask(question))
        kept = await self._store.open(request.digest)  # it may have come meanwhile
        if kept is None:
            return await self._miss(question, request, origin)
        await self._index.touch([request.digest], self._now())
        return self._hit(question, request.digest, kept)

    async def bring(self, question: Question, request: BlobRequest, origin: IOrigin) -> None:
        """Fetch a blob to nobody, as the GET of who asked ``question`` would; it is kept when

        this returns. So it gives no more right than that: what others are fetching is joined
        only by who might read it. Raises ``Refused``, ``CannotKeep`` or ``UpstreamFailure``.
        """
        question = evolve(unconditional_head(question), method="GET", subject=request)
        if self._arrivals.is_expected(request.digest):
            if not await self._may_have(question, request, origin):
                return
            if await self._index.blob(request.digest) is not None:
                return
        reader, size = await self._fetch(question, request, origin)
        try:
            position = 0
            while position < size:
                there = reader.available(position)
                if there:
                    position += there
                else:
                    await reader.wait(position)
        finally:
            reader.close()

    async def _may_have(self, question: Question, request: BlobRequest, origin: IOrigin) -> bool:
        """Whether this repository has this blob, and the client may read the repository."""
        digest, repository = request.digest, request.repository
        is_given = self._arrivals.is_given(digest, repository)
        if is_given or await self._index.link(repository, digest) is not None:
            return await self._rights.allows(question, repository, origin)
        reply = await origin.ask(unconditional_head(question))
        reply.body.discard()
        if reply.status != 200:
            return False
        if self._arrivals.is_expected(digest):
            self._arrivals.expect(digest, repository)
        elif await self._index.blob(digest) is not None:
            await self._index.put_link(Link(repository, digest, None))
        return True

    def _hit(self, question: Question, digest: Digest, kept: FileSlice) -> Answer:
        headers = (*_headers(digest), *Freshness(0, FOREVER).headers())
        try:
            span = _span(question, digest, kept.length)
        except RegistryError:
            kept.close()
            raise
        if is_not_modified(question.if_none_match, digest):
            kept.close()
            return Answer(304, headers)
        start, end = span or (0, kept.length)
        return _partial(headers, kept.narrowed(start, end - start), span, kept.length)

    async def _miss(self, question: Question, request: BlobRequest, origin: IOrigin) -> Answer:
        if question.method != "GET":
            return _head(request.digest, await origin.ask(question))
        try:
            reader, size = await self._fetch(question, request, origin)
        except Refused as refused:
            return forwarded(refused.answer)  # like any refusal: it tells not what is kept
        except CannotKeep:  # the fetcher has told why
            return passed_on(await origin.ask(question))
        try:
            span = _span(question, request.digest, size)
        except RegistryError:
            reader.close()
            raise
        start, end = span or (0, size)
        headers = (*_headers(request.digest), ("Cache-Status", "hubmirror; fwd=miss; stored"))
        answer = _partial(headers, GrowingSlice(reader, start, end - start), span, size)
        return evolve(answer, outcome=Outcome.MISS)

    async def _fetch(
        self, question: Question, request: BlobRequest, origin: IOrigin
    ) -> tuple[IGrowingFile, int]:
        """Join the blob's fetch, or begin it: then the upstream's answer is the right to it."""
        self._arrivals.forget_all_but([status.digest for status in self._fetcher.running()])
        with self._arrivals.asking(request.digest):
            remote = await self._remote(question, request, origin)
            start, length = range_hint(question.range)
            found: tuple[IGrowingFile, int] = await self._fetcher.read(remote, start, length)
            self._arrivals.expect(request.digest, request.repository)
        origin.opened(question)
        return found


def _head(digest: Digest, reply: Reply) -> Answer:
    """The answer to a HEAD for what is not kept: the headers that the GET would have."""
    answer = passed_on(reply)
    if reply.status != 200:
        return answer
    told = ("content-length", "cache-status")
    headers = tuple(pair for pair in answer.headers if pair[0].lower() in told)
    return evolve(answer, headers=(*_headers(digest), *headers))


def _headers(digest: Digest) -> tuple[tuple[str, str], ...]:
    return (*content_headers(digest, BLOB_TYPE), ("Accept-Ranges", "bytes"))


def _span(question: Question, digest: Digest, size: int) -> Span | None:
    """What the client wants of the blob; ``If-Range`` is about this very digest, or no range."""
    if question.if_range is not None and not is_not_modified(question.if_range, digest):
        return None
    return parse_range(question.range, size)


def _partial(
    headers: tuple[tuple[str, str], ...], body: Body, span: Span | None, size: int
) -> Answer:
    if span is None:
        return Answer(200, headers, body)
    content_range = ("Content-Range", f"bytes {span[0]}-{span[1] - 1}/{size}")
    return Answer(206, (*headers, content_range), body)
