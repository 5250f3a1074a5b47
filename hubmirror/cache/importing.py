"""Images from archives and folders: verified while they are read, then kept and linked.

What is imported an operator vouches for, as an upstream does for what comes from it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from hubmirror.cache.archive import ArchiveError
from hubmirror.cache.image_names import ImageName, ImageNameInvalid, ImageNames
from hubmirror.cache.interfaces import (
    BlobRow,
    IBlobStore,
    IIndex,
    IPartial,
    IPartialStore,
    Link,
    Publicity,
    TagEntry,
)
from hubmirror.cache.inventory import NATURAL
from hubmirror.cache.manifest import Descriptor
from hubmirror.cache.open_file import FileError, InThread, OpenFile
from hubmirror.cache.reports import Imported, ImportedAll, Problem, Progress, Report
from hubmirror.cache.sources import Named, open_source
from hubmirror.cache.surveying import OpenSource, SurveyedImage, survey_image
from hubmirror.errors import ManifestInvalid
from hubmirror.naming import Digest, Tag

__all__ = ["Importer"]

#: How many bytes may be written before they are hashed.
_HASHED_AT_ONCE: Final = 16 << 20


class Importer:
    """Brings images in. ``make_room(size)`` is asked before each blob."""

    def __init__(
        self,
        index: IIndex,
        blobs: IBlobStore,
        partials: IPartialStore,
        names: ImageNames,
        in_thread: InThread,
        *,
        make_room: Callable[[int], Awaitable[object]],
        now: Callable[[], float],
    ) -> None:
        self._index = index
        self._blobs = blobs
        self._partials = partials
        self._names = names
        self._in_thread = in_thread
        self._make_room = make_room
        self._now = now

    async def import_(
        self, fd: int, *, name: ImageName | None = None, is_public: bool = False
    ) -> AsyncGenerator[Report, None]:
        """Import all from ``fd``, a tar file or a folder, which is closed at the end.

        ``name`` is the repository of images that the source gives a tag alone or no name. With
        ``is_public`` their repositories count as public as of now; else the upstream is asked
        before anybody gets what is imported. Tells ``Progress``, what was ``Imported`` and each
        ``Problem``, and ``ImportedAll`` at the end. Raises ``ArchiveError`` for what is no
        source, and ``StoreFailed`` where the disk takes no more.
        """
        holder = OpenFile(fd, self._in_thread)
        images = problems = 0
        try:
            source = OpenSource(holder, await holder.run(open_source), self._in_thread)
            for named in await source.images():
                async for report in self._import_one(source, named, name, is_public=is_public):
                    images += isinstance(report, Imported)
                    problems += isinstance(report, Problem)
                    yield report
        finally:
            holder.close()
        yield ImportedAll(images, problems)

    async def _import_one(
        self, source: OpenSource, named: Named, default: ImageName | None, *, is_public: bool
    ) -> AsyncGenerator[Report, None]:
        try:
            name = self._name(named, default)
            image = await survey_image(self._index, source, named)
            size = 0
            async for progress in self._bring_all(source, str(name), image):
                size = progress.done
                yield progress
            await self._keep(name, image)
            if is_public:
                await self._index.put_publicity(name.repository, Publicity(True, self._now()))
            yield Imported(str(name), str(named.digest), size)
        except (ArchiveError, FileError, ImageNameInvalid, ManifestInvalid) as error:
            yield Problem(named.name or str(named.digest), str(error))

    def _name(self, named: Named, default: ImageName | None) -> ImageName:
        """The image's own name, or, where that is a tag alone or none, by ``default``."""
        text = named.name or ""
        if any(sign in text for sign in "/:@"):
            return self._names.parse(text).or_latest()
        if default is None:
            raise ArchiveError("it has no full name there: say which image it is with --name")
        if default.reference is not None:
            return default
        return self._names.parse(f"{default}:{text or 'latest'}")

    async def _bring_all(
        self, source: OpenSource, name: str, image: SurveyedImage
    ) -> AsyncGenerator[Progress, None]:
        new = [one for one in image.blobs.values() if await self._index.blob(one.digest) is None]
        total, done = sum(one.size for one in new), 0
        for descriptor in new:
            await self._make_room(descriptor.size)
            async for count in self._bring(source, descriptor):
                done += count
                yield Progress(name, done, total)

    async def _bring(self, source: OpenSource, descriptor: Descriptor) -> AsyncGenerator[int, None]:
        """Keep one blob; raises ``ArchiveError`` where its bytes are wrong."""
        digest, size = descriptor.digest, descriptor.size
        file, part = await source.open(digest)
        try:
            partial = await self._partial(digest, size)
            try:
                async for count in _fill(partial, file, part.start):
                    yield count
                if partial.missing(0, size) or not await partial.commit():
                    raise ArchiveError(f"{digest} has rotted there")
            except BaseException:
                partial.discard()
                raise
            partial.close()
            await self._index.put_blob(BlobRow(digest, size, self._now()))
        finally:
            file.close()

    async def _partial(self, digest: Digest, size: int) -> IPartial:
        try:
            return await self._partials.open(digest, size, None)
        except RuntimeError:
            raise ArchiveError(f"{digest} is being fetched just now: try again") from None

    async def _keep(self, name: ImageName, image: SurveyedImage) -> None:
        """Link what is here now: what a manifest refers to before itself, the tag at the end."""
        repository = name.repository
        for digest in image.blobs:
            await self._index.put_link(Link(repository, digest, None))
        for digest, manifest in image.manifests.items():
            await self._blobs.put(digest, manifest.body)
            await self._index.put_blob(BlobRow(digest, len(manifest.body), self._now()))
            await self._index.put_link(Link(repository, digest, manifest.media_type))
        if isinstance(name.reference, Tag):
            root, manifest = list(image.manifests.items())[-1]
            await self._index.drop_tag(repository, name.reference.text)
            await self._index.put_tag(
                TagEntry(
                    repository,
                    name.reference.text,
                    NATURAL,
                    root,
                    manifest.media_type,
                    self._now(),
                )
            )


async def _fill(partial: IPartial, file: OpenFile, start: int) -> AsyncGenerator[int, None]:
    """Write all of a partial blob; it is hashed on the way, so that the disk can keep up."""
    position = hashed = 0
    async for data in file.chunks(start, partial.size):
        partial.write(position, data)
        position += len(data)
        if position - hashed >= _HASHED_AT_ONCE:
            hashed = await partial.digest_of_prefix()
        yield len(data)
