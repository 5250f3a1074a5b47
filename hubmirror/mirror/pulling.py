"""Pulling an image through the mirror as a client does, to nobody: so that it is kept."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from typing import Final, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IConsumer

from hubmirror.cache.image_names import ImageName
from hubmirror.cache.manifest import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_MANIFEST,
    Descriptor,
    references,
)
from hubmirror.cache.platforms import is_wanted, spelled
from hubmirror.cache.reports import Progress, Pulled, Report
from hubmirror.errors import HubmirrorError, RegistryError
from hubmirror.mirror.sinks import Meter, Sink
from hubmirror.naming import Digest, Reference, Repository, parse_digest
from hubmirror.question import (
    Answer,
    BlobRequest,
    Body,
    Client,
    FileSlice,
    ManifestRequest,
    Question,
    Subject,
)

__all__ = ["PullFailed", "Puller"]

#: How many blobs are pulled at once: as many as docker does.
_AT_ONCE: Final = 3
_ACCEPT: Final = (", ".join(sorted(MANIFEST_TYPES | INDEX_TYPES)),)
_CLIENT: Final = Client(address="", public_url="", user_agent="hubmirror")


class PullFailed(HubmirrorError):
    """An image could not be pulled, or not be kept; the message says why."""


class Bodies(Protocol):
    """What sends a body, whatever it is made of."""

    def send(self, body: Body, consumer: IConsumer, /) -> Deferred[None]:
        """Write ``body`` to ``consumer``; fires after the last byte."""

    def discard(self, body: Body, /) -> None:
        """It is not going to be sent."""


class Puller:
    """Asks the mirror, as a client called ``local`` whose requests count as all others do.

    ``answer`` is the mirror's; ``credential`` makes the ``Authorization`` for a repository.
    """

    def __init__(
        self,
        answer: Callable[[Question], Awaitable[Answer]],
        bodies: Bodies,
        credential: Callable[[Repository], str | None],
    ) -> None:
        self._answer = answer
        self._bodies = bodies
        self._credential = credential

    async def pull(
        self, image: ImageName, platforms: Collection[str], *, is_checked: bool = False
    ) -> AsyncGenerator[Report, None]:
        """Pull ``image`` (``latest`` without a reference) for ``platforms``, or ``all``.

        With ``is_checked`` the upstream is asked what the tag is now, however fresh it is here.
        Tells ``Progress``, and ``Pulled`` at the end; raises ``PullFailed``.
        """
        name = image.or_latest()
        try:
            async with aclosing(self._pull(name, platforms, is_checked=is_checked)) as reports:
                async for report in reports:
                    yield report
        except RegistryError as error:
            raise PullFailed(error.message) from error

    async def _pull(
        self, name: ImageName, platforms: Collection[str], *, is_checked: bool
    ) -> AsyncGenerator[Report, None]:
        repository = name.repository
        top = await self._manifest(repository, name.reference, is_checked=is_checked)
        images, names = [top], []
        if top.media_type in INDEX_TYPES:
            chosen = _chosen(top, platforms)
            images = [await self._manifest(repository, one.digest) for one in chosen]
            names = [spelled(one.platform) for one in chosen if one.platform is not None]
        blobs = {one.digest: one for image in images for one in image.children if _is_given(one)}
        async with aclosing(self._blobs(name, tuple(blobs.values()))) as reports:
            async for report in reports:
                yield report
        total = sum(one.size for one in blobs.values())
        yield Pulled(str(name), str(top.digest), tuple(names), len(blobs), total)

    async def _blobs(
        self, name: ImageName, blobs: Collection[Descriptor]
    ) -> AsyncGenerator[Progress, None]:
        """All of them, a few at a time; the first failure ends it."""
        meter = Meter()
        total = sum(one.size for one in blobs)
        work = Deferred.fromCoroutine(self._take_all(name.repository, blobs, meter))
        try:
            is_over = False
            while not is_over:
                await meter.moved()
                is_over = meter.is_over
                yield Progress(str(name), min(meter.count, total), total)
            await work
        except BaseException:
            work.addErrback(lambda _: None)
            work.cancel()
            raise

    async def _take_all(
        self, repository: Repository, blobs: Collection[Descriptor], meter: Meter
    ) -> None:
        queue = deque(blobs)

        async def take_turns() -> None:
            while queue:
                await self._blob(repository, queue.popleft().digest, meter)

        turns = [Deferred.fromCoroutine(take_turns()) for _ in range(_AT_ONCE)]
        try:
            await gatherResults(turns, consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()
        finally:
            for turn in turns:
                turn.cancel()
            meter.end()

    async def _manifest(
        self, repository: Repository, reference: Reference | None, *, is_checked: bool = False
    ) -> _Manifest:
        if reference is None:
            raise TypeError("a manifest is asked for by tag or digest")
        subject = ManifestRequest(repository, reference)
        answer = await self._ask(subject, repository, is_checked=is_checked)
        body = await self._read(answer.body)
        try:
            digest = parse_digest(answer.header("Docker-Content-Digest") or str(reference))
        except RegistryError:
            raise PullFailed(f"the upstream does not tell the digest of {reference}") from None
        media_type = (answer.header("Content-Type") or "").partition(";")[0].strip().lower()
        return _Manifest(digest, media_type, references(media_type, body))

    async def _blob(self, repository: Repository, digest: Digest, meter: Meter) -> None:
        body = (await self._ask(BlobRequest(repository, digest), repository)).body
        if isinstance(body, FileSlice):  # whole here already
            meter.add(body.length)
            self._bodies.discard(body)
            return
        await self._bodies.send(body, Sink(lambda data: meter.add(len(data))))

    async def _ask(
        self, subject: Subject, repository: Repository, *, is_checked: bool = False
    ) -> Answer:
        """The answer, if it is one that is kept, and is checked where it should be."""
        credential = self._credential(repository)
        question = Question("GET", subject, _CLIENT, credential, _ACCEPT, no_cache=is_checked)
        answer = await self._answer(question)
        if answer.status != 200:
            raise PullFailed(_reason(answer.status, await self._read(answer.body)))
        failure = _failure(answer, is_checked=is_checked)
        if failure is not None:
            self._bodies.discard(answer.body)
            raise PullFailed(failure)
        return answer

    async def _read(self, body: Body) -> bytes:
        """A small body; of a larger one the beginning."""
        data = bytearray()
        await self._bodies.send(
            body, Sink(lambda more: data.extend(more[: MAX_MANIFEST - len(data)]))
        )
        return bytes(data)


@frozen
class _Manifest:
    digest: Digest
    media_type: str
    children: tuple[Descriptor, ...]


def _chosen(index: _Manifest, platforms: Collection[str]) -> list[Descriptor]:
    chosen = [one for one in index.children if is_wanted(one.platform, platforms)]
    if not chosen:
        there = sorted({spelled(one.platform) for one in index.children if one.platform})
        raise PullFailed(f"it has nothing for {', '.join(platforms)}, only for {', '.join(there)}")
    return chosen


def _is_given(descriptor: Descriptor) -> bool:
    """Whether registries give it: of some base layers they may not (``layer.md``)."""
    kind = descriptor.media_type
    return "nondistributable" not in kind and "foreign" not in kind


def _failure(answer: Answer, *, is_checked: bool) -> str | None:
    """Why a good answer is not good enough."""
    warning = answer.header("Warning")
    if is_checked and warning is not None:
        return warning.partition('"')[2].rstrip('"')
    status = answer.header("Cache-Status") or ""
    if "hit" not in status and "stored" not in status:
        return "it was not kept: the mirror's log says why"
    return None


def _reason(status: int, body: bytes) -> str:
    """The first message of a registry's JSON error (distribution-spec 1.1, "Error codes")."""
    try:
        match json.loads(body):
            case {"errors": [{"message": str(message)}, *_]}:
                return f"the answer was {status}, {message[:300]}"
    except (ValueError, RecursionError):
        pass
    return f"the answer was {status}"
