"""Operations run to their end without a reactor, on what is kept in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from hubmirror.cache.interfaces import BlobRow, IBlobStore, IIndex, Link, TagEntry
from hubmirror.cache.inventory import NATURAL
from hubmirror.demo.image import Image
from hubmirror.naming import Repository

__all__ = ["collect", "here", "keep_image", "result_of"]

T = TypeVar("T")


def here(work: Callable[..., T], *args: Any, **kwargs: Any) -> Deferred[T]:
    """Blocking work, done at once and here."""
    return maybeDeferred(work, *args, **kwargs)


def result_of(work: Deferred[T]) -> T:
    """What it has fired with; raises what it has failed with."""
    results: list[T | Failure] = []
    work.addBoth(results.append)
    assert results, "it is still under way"
    result = results[0]
    if isinstance(result, Failure):
        result.raiseException()
    return result


def collect(reports: AsyncIterator[T]) -> list[T]:
    """All reports of an operation; raises what ends it early."""

    async def take() -> list[T]:
        return [report async for report in reports]

    return result_of(Deferred.fromCoroutine(take()))


async def keep_image(
    index: IIndex,
    blobs: IBlobStore,
    image: Image,
    repository: Repository,
    tag: str | None,
    *,
    at: float = 1000.0,
    architectures: int = 2,
) -> None:
    """Keep ``image``, its index and the first ``architectures`` of its manifests whole."""
    for manifest in (image.index, *image.manifests[:architectures]):
        await blobs.put(manifest.digest, manifest.content)
        await index.put_blob(BlobRow(manifest.digest, len(manifest.content), at))
        await index.put_link(Link(repository, manifest.digest, manifest.media_type))
    named = {
        descriptor["digest"]
        for manifest in image.manifests[:architectures]
        for descriptor in (manifest.document["config"], *manifest.document["layers"])
    }
    for blob in image.blobs:
        if str(blob.digest) in named:
            assert isinstance(blob.source, bytes)
            await blobs.put(blob.digest, blob.source)
            await index.put_blob(BlobRow(blob.digest, blob.size, at))
            await index.put_link(Link(repository, blob.digest, None))
    if tag is not None:
        entry = TagEntry(repository, tag, NATURAL, image.index.digest, image.index.media_type, at)
        await index.put_tag(entry)
