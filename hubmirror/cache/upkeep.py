"""What an operator does with what is kept: verify, remove, pin, make room."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Iterable
from typing import Final

from hubmirror.cache.eviction import Partials
from hubmirror.cache.image_names import ImageName
from hubmirror.cache.interfaces import IBlobStore, IIndex, TagEntry
from hubmirror.cache.inventory import Inventory, NotKept, repository_text
from hubmirror.cache.pins import Pins
from hubmirror.cache.reports import Pinned, Progress, Pruned, Removed, Report, Rotten, Verified
from hubmirror.cache.trees import Trees, flat
from hubmirror.errors import HubmirrorError
from hubmirror.naming import Digest, Repository, Tag

__all__ = ["NotPinned", "StillPinned", "Upkeep"]

#: A partial blob that was not written to for so long is abandoned, to who asks for space; in
#: seconds.
_ABANDONED_AFTER: Final = 3600.0


class StillPinned(HubmirrorError):
    """What shall go is pinned."""

    def __init__(self, image: ImageName) -> None:
        super().__init__(f"{image} is pinned: unpin it first")


class NotPinned(HubmirrorError):
    """What shall be unpinned is not pinned."""

    def __init__(self, image: ImageName) -> None:
        super().__init__(f"{image} is not pinned")


class Upkeep:
    """The operations on what is kept. Each gives its reports as it goes on.

    They fail as ``index`` and ``blobs`` do. ``make_room`` evicts what is over the limits and
    returns the bytes that it freed. ``now`` is in seconds since the epoch.
    """

    def __init__(
        self,
        index: IIndex,
        blobs: IBlobStore,
        partials: Partials,
        *,
        make_room: Callable[[], Awaitable[int]],
        now: Callable[[], float],
    ) -> None:
        self._index = index
        self._blobs = blobs
        self._partials = partials
        self._inventory = Inventory(index, blobs)
        self._make_room = make_room
        self._now = now

    async def verify(self, image: ImageName | None = None) -> AsyncGenerator[Report, None]:
        """Hash all that is kept, or what an image or repository is made of; drop what is rotten.

        Tells ``Progress``, each ``Rotten`` blob, and ``Verified`` at the end.
        """
        rows = await self._rows(image)
        total = sum(size for _, size in rows)
        done = rotten = 0
        for digest, size in rows:
            if not await self._blobs.verify(digest) and await self._index.blob(digest) is not None:
                rotten += 1
                repositories = await self._index.linked_from(digest)
                await self._drop(digest)
                yield Rotten(str(digest), size, tuple(map(repository_text, repositories)))
            done += size
            yield Progress("verified", done, total)
        yield Verified(len(rows), total, rotten)

    async def rm(self, image: ImageName) -> AsyncGenerator[Report, None]:
        """Remove a tag, a manifest with its tags, or all of a repository.

        What other images need stays. Raises ``NotKept`` or ``StillPinned``.
        """
        tags = await self._tags_of(image)
        links = {link.digest for link in await self._index.links(image.repository)}
        pins = await Pins.read(self._index)
        is_kept = bool(tags) or (links and image.reference is None) or image.reference in links
        if not is_kept:
            raise NotKept(image)
        texts = {entry.tag for entry in tags}
        if pins.forbid(image.repository, *texts, str(image.reference or "*")):
            raise StillPinned(image)
        going = await self._unneeded(image, tags, links, pins)
        for tag in texts:
            await self._index.drop_tag(image.repository, tag)
        count = size = 0
        for digest in going:
            freed = await self._unlink(image.repository, digest)
            count, size = count + (freed is not None), size + (freed or 0)
        yield Removed(str(image), tuple(sorted(texts)), count, size)

    async def pin(
        self, image: ImageName, *, is_pinned: bool = True
    ) -> AsyncGenerator[Report, None]:
        """Keep an image or a whole repository against eviction and deletion, or no longer.

        What is not here yet may be pinned. To unpin what is not pinned raises ``NotPinned``.
        """
        reference = str(image.reference or "*")
        pins = await Pins.read(self._index)
        if not is_pinned and (image.repository, reference) not in pins.all:
            raise NotPinned(image)
        await self._index.pin(image.repository, reference, is_pinned)
        yield Pinned(str(image), is_pinned)

    async def prune(self) -> AsyncGenerator[Report, None]:
        """Bring what is kept under its limits now, and remove abandoned downloads."""
        before = self._now() - _ABANDONED_AFTER
        old = [row for row in await self._partials.all() if row.changed < before]
        for row in old:
            await self._partials.remove(row.digest)
        left = {row.digest for row in await self._partials.all()}
        freed = sum(row.size for row in old if row.digest not in left)
        yield Pruned(await self._make_room(), freed)

    async def _rows(self, image: ImageName | None) -> list[tuple[Digest, int]]:
        if image is None:
            return [row async for row in self._blobs.all()]
        if image.reference is None:
            digests = [link.digest for link in await self._index.links(image.repository)]
            found = [await self._index.blob(digest) for digest in digests]
        else:
            parts = flat([await self._inventory.find(image)])
            found = [part.row for part in parts.values()]
        rows = [(row.digest, row.size) for row in found if row is not None]
        if not rows:
            raise NotKept(image)
        return rows

    async def _tags_of(self, image: ImageName) -> tuple[TagEntry, ...]:
        """The tags that go with ``image``: itself, those of its manifest, or all."""
        if isinstance(image.reference, Tag):
            return await self._index.tag(image.repository, image.reference.text)
        tags = await self._index.tags(image.repository)
        if image.reference is None:
            return tags
        return tuple(entry for entry in tags if entry.digest == image.reference)

    async def _unneeded(
        self, image: ImageName, tags: Iterable[TagEntry], links: set[Digest], pins: Pins
    ) -> list[Digest]:
        """What the repository needs no more without ``tags`` and ``image``, manifests first."""
        if image.reference is None:
            return list(links)
        trees = Trees(self._index, self._blobs)
        roots = {entry.digest: entry.media_type for entry in tags}
        if isinstance(image.reference, Digest):
            link = await self._index.link(image.repository, image.reference)
            roots[image.reference] = (link and link.media_type) or roots.get(image.reference, "")
        going = flat([await trees.read(*root) for root in roots.items()])
        staying = await self._roots(image.repository, {entry.tag for entry in tags}, going, pins)
        needed = flat([await trees.read(*root) for root in staying])
        return [digest for digest in going if digest in links and digest not in needed]

    async def _roots(
        self, repository: Repository, gone: Container[str], going: Container[Digest], pins: Pins
    ) -> list[tuple[Digest, str]]:
        """What the repository goes on to need: its other tags and manifests, and what is pinned."""
        tags = await self._index.tags(repository)
        links = await self._index.links(repository)
        return [(entry.digest, entry.media_type) for entry in tags if entry.tag not in gone] + [
            (link.digest, link.media_type)
            for link in links
            if link.media_type is not None
            and (link.digest not in going or (repository, str(link.digest)) in pins.all)
        ]

    async def _unlink(self, repository: Repository, digest: Digest) -> int | None:
        """Take a blob from a repository; if no other has it, drop it and return its size."""
        await self._index.drop_link(repository, digest)
        row = await self._index.blob(digest)
        if row is None or await self._index.linked_from(digest):
            return None
        await self._drop(digest)
        return row.size

    async def _drop(self, digest: Digest) -> None:
        """The row, links and tags go first: what the index tells can be served at any moment."""
        await self._index.drop_blob(digest)
        await self._blobs.remove(digest)
