"""What is kept, as people ask for it: by repository, tag and platform."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Final

from hubmirror.cache.image_names import ImageName
from hubmirror.cache.interfaces import IBlobStore, IIndex, TagEntry
from hubmirror.cache.manifest import is_manifest
from hubmirror.cache.pins import Pins
from hubmirror.cache.platforms import spelled
from hubmirror.cache.reports import KeptImage, Report, ShownBlob, ShownImage, ShownManifest
from hubmirror.cache.trees import Tree, Trees, flat
from hubmirror.errors import HubmirrorError
from hubmirror.naming import Digest, Repository

__all__ = ["NATURAL", "Inventory", "NotKept", "repository_text"]

#: The variant of a tag that stands for all clients of today; ``mirror/`` reads it, too.
NATURAL: Final = "natural"


class NotKept(HubmirrorError):
    """There is nothing here by that name."""

    def __init__(self, image: ImageName) -> None:
        super().__init__(f"nothing is kept of {image}")


class Inventory:
    """Looks at what is kept and changes nothing. Fails as ``index`` and ``blobs`` do."""

    def __init__(self, index: IIndex, blobs: IBlobStore) -> None:
        self._index = index
        self._blobs = blobs

    async def ls(self, names: Sequence[ImageName] = ()) -> AsyncGenerator[Report, None]:
        """The kept images, of these repositories (without any: of all), as ``KeptImage``."""
        wanted = [name.repository for name in names] or await self._index.repositories()
        pins = await Pins.read(self._index)
        for repository in wanted:
            async for image in self._images(repository, pins):
                yield image

    async def show(self, image: ImageName) -> AsyncGenerator[Report, None]:
        """What an image is made of, as one ``ShownImage``; raises ``NotKept``."""
        name = image.or_latest()
        tree = await self.find(name)
        pins = await Pins.read(self._index)
        publicity = await self._index.publicity(name.repository)
        yield ShownImage(
            image=str(name),
            digest=str(tree.digest),
            media_type=tree.descriptor.media_type,
            kept=_size(flat([tree]).values()),
            accessed=_accessed(tree),
            is_pinned=pins.holds(name.repository, str(name.reference), tree.digest),
            is_public=None if publicity is None else publicity.is_public,
            manifests=tuple(_shown(one) for one in flat([tree]).values() if _is_one_image(one)),
        )

    async def find(self, image: ImageName) -> Tree:
        """The tree of an image (``latest`` where no reference is named); raises ``NotKept``."""
        name = image.or_latest()
        trees = Trees(self._index, self._blobs)
        if isinstance(name.reference, Digest):
            link = await self._index.link(name.repository, name.reference)
            if link is not None and link.media_type is not None:
                return await trees.read(link.digest, link.media_type)
        else:
            entries = await self._index.tag(name.repository, str(name.reference))
            for entry in _one_a_tag(entries):
                return await trees.read(entry.digest, entry.media_type)
        raise NotKept(name)

    async def _images(self, repository: Repository, pins: Pins) -> AsyncGenerator[KeptImage, None]:
        publicity = await self._index.publicity(repository)
        trees = Trees(self._index, self._blobs)
        reached: set[Digest] = set()

        async def kept(tag: str | None, digest: Digest, media_type: str) -> KeptImage:
            tree = await trees.read(digest, media_type)
            parts = flat([tree])
            reached.update(parts)
            return KeptImage(
                repository=repository_text(repository),
                tag=tag,
                digest=str(digest),
                media_type=media_type,
                size=_size(parts.values()),
                accessed=_accessed(tree),
                is_pinned=pins.holds(repository, tag, digest),
                is_public=None if publicity is None else publicity.is_public,
            )

        for entry in _one_a_tag(await self._index.tags(repository)):
            yield await kept(entry.tag, entry.digest, entry.media_type)
        loose = [link for link in await self._index.links(repository) if link.media_type]
        trees_of = [(link, await trees.read(link.digest, link.media_type or "")) for link in loose]
        below = {digest for _, tree in trees_of for digest in flat(tree.children)}
        for link, tree in trees_of:
            if tree.digest not in below | reached:
                yield await kept(None, link.digest, link.media_type or "")


def _one_a_tag(entries: Iterable[TagEntry]) -> list[TagEntry]:
    """Of the variants of each tag that which most images are made of: the widest, the newest."""
    best: dict[str, TagEntry] = {}
    for entry in sorted(entries, key=lambda one: (one.variant == NATURAL, one.checked)):
        best[entry.tag] = entry
    return [best[tag] for tag in sorted(best)]


def _shown(tree: Tree) -> ShownManifest:
    platform = tree.descriptor.platform
    return ShownManifest(
        digest=str(tree.digest),
        media_type=tree.descriptor.media_type,
        platform=None if platform is None else spelled(platform),
        size=_size_of(tree),
        is_here=tree.row is not None,
        blobs=tuple(
            ShownBlob(
                str(child.digest),
                child.descriptor.media_type,
                _size_of(child),
                child.row is not None,
            )
            for child in tree.children
        ),
    )


def _is_one_image(tree: Tree) -> bool:
    return is_manifest(tree.descriptor.media_type) and not any(
        is_manifest(child.descriptor.media_type) for child in tree.children
    )


def _size_of(tree: Tree) -> int:
    return tree.descriptor.size if tree.row is None else tree.row.size


def _size(trees: Iterable[Tree]) -> int:
    return sum(tree.row.size for tree in trees if tree.row is not None)


def _accessed(tree: Tree) -> float | None:
    return max(
        (part.row.accessed for part in flat([tree]).values() if part.row is not None), default=None
    )


def repository_text(repository: Repository) -> str:
    """``docker.io/library/busybox``."""
    return f"{repository.registry}/{repository.name}"
