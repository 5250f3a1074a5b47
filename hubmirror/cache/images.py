"""How what is kept hangs together: which manifests need which blobs, and what nobody needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Container, Iterable

from hubmirror.cache.interfaces import IBlobStore, IIndex
from hubmirror.cache.manifest import MAX_MANIFEST, Descriptor, is_manifest, references
from hubmirror.errors import ManifestInvalid
from hubmirror.naming import Digest, Repository, parse_digest

__all__ = ["Images", "survey"]


class Images:
    """The kept manifests with what they refer to, and the blobs that no manifest refers to.

    An *image* is what nothing else that is kept refers to: an index, a manifest by itself, or a
    lone blob. All that it refers to, through other manifests too, belongs to it, maybe to
    other images as well.
    """

    def __init__(self) -> None:
        self._children: dict[Digest, tuple[Digest, ...]] = {}
        self._accessed: dict[Digest, float] = {}
        #: How often the kept manifests refer to each blob, where they do.
        self._parents: Counter[Digest] = Counter()
        self._pinned: set[Digest] = set()

    def add(self, digest: Digest, accessed: float, children: Iterable[Digest] = ()) -> None:
        """A kept manifest that refers to ``children``, or a lone blob; once each."""
        self._accessed[digest] = accessed
        self._children[digest] = tuple(children)
        self._parents.update(self._children[digest])

    def pin(self, digests: Iterable[Digest]) -> None:
        """These stay, with all that they refer to."""
        for digest in digests:
            self._pinned.update(self._all_of(digest))

    def is_known(self, digest: Digest) -> bool:
        """Whether it was added, or a manifest that was refers to it."""
        return digest in self._children or digest in self._parents

    def oldest_first(self) -> list[Digest]:
        """The images that are not pinned, in the order in which they were last asked for.

        An image is asked for with any of its manifests: clients that have its layers ask for
        nothing else.
        """
        loose = [d for d in self._children if not self._parents[d] and d not in self._pinned]
        return sorted(loose, key=self._last_asked_for)

    def only_of(self, image: Digest) -> list[Digest]:
        """``image``, then what belongs to it and to no other image, and isn't pinned.

        What refers to another comes before it.
        """
        going = [image]
        losing: Counter[Digest] = Counter()
        for digest in going:  # it grows
            for child in self._children.get(digest, ()):
                losing[child] += 1
                if losing[child] == self._parents[child] and child not in self._pinned:
                    going.append(child)
        return going

    def remove(self, image: Digest) -> None:
        """``image`` and what is only of it are kept no more."""
        for digest in self.only_of(image):
            self._accessed.pop(digest, None)
            self._parents.subtract(self._children.pop(digest, ()))

    def _last_asked_for(self, image: Digest) -> float:
        return max(self._accessed[d] for d in self._all_of(image, self._accessed))

    def _all_of(self, image: Digest, among: Container[Digest] | None = None) -> list[Digest]:
        """``image`` and what belongs to it, as far as it is ``among`` these."""
        seen = {image}
        found = [image]
        for digest in found:  # it grows
            for child in self._children.get(digest, ()):
                if child not in seen and (among is None or child in among):
                    seen.add(child)
                    found.append(child)
        return found


async def survey(index: IIndex, blobs: IBlobStore) -> Images:
    """How all that is kept hangs together now.

    It reads every kept manifest, a few thousand a second, and one at a time so that nobody
    waits for it. Fails as ``index`` and ``blobs`` do.
    """
    images = Images()
    types: dict[Digest, str] = {}
    for repository in await index.repositories():
        types.update(await _manifests_of(index, repository))
    waiting = list(types.items())
    while waiting:
        digest, media_type = waiting.pop()
        for child in await _add_manifest(images, index, blobs, digest, media_type):
            # A manifest is one also where no repository that is left gave it as such.
            if is_manifest(child.media_type) and child.digest not in types:
                types[child.digest] = child.media_type
                waiting.append((child.digest, child.media_type))
    async for digest, _size in blobs.all():
        if not images.is_known(digest) and (row := await index.blob(digest)) is not None:
            images.add(digest, row.accessed)
    async for pinned in _pinned(index):
        images.pin(pinned)
    return images


async def _manifests_of(index: IIndex, repository: Repository) -> dict[Digest, str]:
    links = await index.links(repository)
    found = {link.digest: link.media_type for link in links if link.media_type is not None}
    return {**found, **{entry.digest: entry.media_type for entry in await index.tags(repository)}}


async def _add_manifest(
    images: Images, index: IIndex, blobs: IBlobStore, digest: Digest, media_type: str
) -> tuple[Descriptor, ...]:
    row = await index.blob(digest)
    if row is None:
        return ()
    children: tuple[Descriptor, ...] = ()
    if row.size <= MAX_MANIFEST and (body := await blobs.read(digest)) is not None:
        children = _references(media_type, body)
    images.add(digest, row.accessed, (child.digest for child in children))
    return children


def _references(media_type: str, body: bytes) -> tuple[Descriptor, ...]:
    try:
        return references(media_type, body)
    except ManifestInvalid:  # kept as upstream gave it; it needs nothing that can be told
        return ()


async def _pinned(index: IIndex) -> AsyncIterator[tuple[Digest, ...]]:
    for repository, reference in await index.pins():
        if reference == "*":
            yield tuple(link.digest for link in await index.links(repository))
            yield tuple(entry.digest for entry in await index.tags(repository))
        elif ":" in reference:
            yield (parse_digest(reference),)
        else:
            yield tuple(entry.digest for entry in await index.tag(repository, reference))
