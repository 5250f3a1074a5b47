"""What has to be read to import one image: its manifests, verified, and its blobs' names."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from attrs import define, field, frozen

from hubmirror.cache.archive import ArchiveError
from hubmirror.cache.interfaces import IIndex
from hubmirror.cache.manifest import INDEX_TYPES, MAX_MANIFEST, Descriptor, is_manifest, references
from hubmirror.cache.open_file import InThread, OpenFile
from hubmirror.cache.sources import Named, Source
from hubmirror.naming import Digest
from hubmirror.question import FileSlice

__all__ = ["OpenSource", "SurveyedImage", "SurveyedManifest", "survey_image"]

_OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
#: How deep indexes are followed; real ones are two deep.
_DEEPEST: Final = 8


class OpenSource:
    """A source that is read in threads, as long as ``holder`` is open.

    Methods fail with ``ArchiveError``, or with ``FileError`` where a file can't be read.
    """

    def __init__(self, holder: OpenFile, source: Source, in_thread: InThread) -> None:
        self._holder = holder
        self._source = source
        self._in_thread = in_thread

    async def images(self) -> list[Named]:
        """What is in it."""
        return await self._holder.run(lambda _fd: self._source.images())

    async def open(self, digest: Digest) -> tuple[OpenFile, FileSlice]:
        """The part of a file that a blob is. Who asks closes the file."""
        part = await self._holder.run(lambda _fd: self._source.open(digest))
        if part is None:
            raise ArchiveError(f"{digest} is missing there")
        return OpenFile(part.fd, self._in_thread), part

    async def size(self, digest: Digest) -> int:
        """How many bytes a blob has there."""
        file, part = await self.open(digest)
        file.close()
        return part.length

    async def manifest(self, digest: Digest) -> bytes:
        """A manifest's bytes, verified."""
        file, part = await self.open(digest)
        try:
            if part.length > MAX_MANIFEST:
                raise ArchiveError(f"{digest} is too large for a manifest")
            body = await file.read(part.length, part.start)
        finally:
            file.close()
        if hashlib.new(digest.algorithm, body).hexdigest() != digest.encoded:
            raise ArchiveError(f"{digest} has rotted there")
        return body


@frozen
class SurveyedManifest:
    """A manifest that was read and verified."""

    media_type: str
    body: bytes = field(repr=False)


@define
class SurveyedImage:
    """What is there of an image.

    ``manifests`` are in the order in which they are kept: what is referred to first, the image's
    own last. ``blobs`` are there or kept already.
    """

    manifests: dict[Digest, SurveyedManifest] = field(factory=dict)
    blobs: dict[Digest, Descriptor] = field(factory=dict)


async def survey_image(index: IIndex, source: OpenSource, named: Named) -> SurveyedImage:
    """Read all that ``named`` is made of, its blobs aside.

    Of an index those manifests are enough that are there with all their blobs, if there are any.
    Raises ``ArchiveError``, ``FileError`` or ``ManifestInvalid``.
    """
    image = SurveyedImage()
    await _Survey(index, source).manifest(named.digest, named.media_type, image, 0)
    return image


@frozen
class _Survey:
    _index: IIndex
    _source: OpenSource

    async def manifest(
        self, digest: Digest, media_type: str | None, image: SurveyedImage, depth: int
    ) -> None:
        body = await self._source.manifest(digest)
        kind = media_type or _type_of(body)
        found = SurveyedImage(dict(image.manifests), dict(image.blobs))
        missing = []
        children = references(kind, body)
        for child in children:
            try:
                await self._child(child, found, depth + 1)
            except ArchiveError as error:
                missing.append(error)
        if missing and (kind not in INDEX_TYPES or len(missing) == len(children)):
            raise missing[0]
        image.manifests = {**found.manifests, digest: SurveyedManifest(kind, body)}
        image.blobs = found.blobs

    async def _child(self, child: Descriptor, image: SurveyedImage, depth: int) -> None:
        if child.digest in image.manifests or child.digest in image.blobs:
            return
        if is_manifest(child.media_type) and depth < _DEEPEST:
            await self.manifest(child.digest, child.media_type, image, depth)
            return
        row = await self._index.blob(child.digest)
        size = await self._source.size(child.digest) if row is None else row.size
        if size != child.size:
            raise ArchiveError(f"{child.digest} has not the size that its manifest says")
        image.blobs[child.digest] = child


def _type_of(body: bytes) -> str:
    """What a manifest says that it is; the specification lets it say nothing."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise ArchiveError("a manifest there is not JSON") from None
    if not isinstance(document, dict):
        raise ArchiveError("a manifest there is no JSON object")
    told = document.get("mediaType")
    if isinstance(told, str):
        return told
    return _OCI_INDEX if "manifests" in document else _OCI_MANIFEST
