"""One image as a tree: an index, its manifests, their blobs, and which of them are here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import field, frozen

from hubmirror.cache.interfaces import BlobRow, IBlobStore, IIndex
from hubmirror.cache.manifest import MAX_MANIFEST, Descriptor, is_manifest, references
from hubmirror.errors import ManifestInvalid
from hubmirror.naming import Digest

__all__ = ["Tree", "Trees", "flat"]

#: How deep indexes are followed; real ones are two deep.
_DEEPEST: Final = 8


@frozen
class Tree:
    """What ``descriptor`` refers to; ``row`` is None where it is not here.

    ``is_whole``: it is here, with all below.
    """

    descriptor: Descriptor
    row: BlobRow | None
    children: tuple[Tree, ...] = ()
    is_whole: bool = field(init=False)

    @is_whole.default
    def _has_all(self) -> bool:
        return self.row is not None and all(child.is_whole for child in self.children)

    @property
    def digest(self) -> Digest:
        """Its digest."""
        return self.descriptor.digest


class Trees:
    """Reads trees from what is kept; what several of them share is read once."""

    def __init__(self, index: IIndex, blobs: IBlobStore) -> None:
        self._index = index
        self._blobs = blobs
        self._read: dict[tuple[str, Digest], Tree] = {}

    async def read(self, digest: Digest, media_type: str) -> Tree:
        """The tree below a manifest. Fails as index and blobs do."""
        return await self._tree(Descriptor(media_type, digest, 0), 0)

    async def _tree(self, descriptor: Descriptor, depth: int) -> Tree:
        key = (descriptor.media_type, descriptor.digest)
        if key not in self._read:
            self._read[key] = await self._read_tree(descriptor, depth)
        return self._read[key]

    async def _read_tree(self, descriptor: Descriptor, depth: int) -> Tree:
        row = await self._index.blob(descriptor.digest)
        if row is None or depth == _DEEPEST or not is_manifest(descriptor.media_type):
            return Tree(descriptor, row)
        body = await self._blobs.read(descriptor.digest) if row.size <= MAX_MANIFEST else b""
        if body is None:
            return Tree(descriptor, None)
        children = _references(descriptor.media_type, body)
        return Tree(descriptor, row, tuple([await self._tree(one, depth + 1) for one in children]))


def _references(media_type: str, body: bytes) -> tuple[Descriptor, ...]:
    try:
        return references(media_type, body)
    except ManifestInvalid:  # kept as upstream gave it; it needs nothing that can be told
        return ()


def flat(trees: Iterable[Tree]) -> dict[Digest, Tree]:
    """All that is in these trees, each once, what refers to it before it."""
    found: dict[Digest, Tree] = {}
    going = list(trees)
    for tree in going:  # it grows
        if tree.digest not in found:
            found[tree.digest] = tree
            going.extend(tree.children)
    return found
