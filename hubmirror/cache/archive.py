"""Images as a tar of an OCI image layout, which skopeo and podman read.

Source: OCI image-spec 1.1, ``image-layout.md``, ``image-index.md`` and ``annotations.md``; the
tar's format is GNU's, whose size field holds what is larger than 8 GiB.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, field, frozen

from hubmirror.cache.image_names import ImageName
from hubmirror.cache.interfaces import IBlobStore, IIndex
from hubmirror.cache.inventory import Inventory
from hubmirror.cache.manifest import INDEX_TYPES
from hubmirror.cache.open_file import InThread, OpenFile
from hubmirror.cache.platforms import spelled
from hubmirror.cache.reports import Exported, Progress, Report
from hubmirror.cache.trees import Tree, flat
from hubmirror.errors import HubmirrorError
from hubmirror.naming import Digest

__all__ = ["CONTAINERD_NAME", "REF_NAME", "ArchiveError", "Exporter"]

#: The annotations that name an image: the specification's, and the one that docker writes.
REF_NAME: Final = "org.opencontainers.image.ref.name"
CONTAINERD_NAME: Final = "io.containerd.image.name"

_OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_BLOCK: Final = 512


class ArchiveError(HubmirrorError):
    """An archive can't be written, or be read; the message says why."""


@frozen
class _Chosen:
    """An image to export: its name, its tree, and those of its parts that are whole."""

    name: ImageName
    tree: Tree
    parts: Mapping[Digest, Tree] = field(repr=False)

    def descriptor(self) -> dict[str, Any]:
        """Its entry in the layout's ``index.json``."""
        row = self.tree.row
        named = {REF_NAME: str(self.name), CONTAINERD_NAME: str(self.name)}
        return {
            "mediaType": self.tree.descriptor.media_type,
            "digest": str(self.tree.digest),
            "size": 0 if row is None else row.size,
            "annotations": named,
        }

    def platforms(self) -> list[str]:
        """Those of its manifests, where an index tells them."""
        found = [part.descriptor.platform for part in self.parts.values()]
        return [spelled(platform) for platform in found if platform is not None]


class Exporter:
    """Writes archives. ``in_thread`` runs what blocks for the disk."""

    def __init__(self, index: IIndex, blobs: IBlobStore, in_thread: InThread) -> None:
        self._inventory = Inventory(index, blobs)
        self._blobs = blobs
        self._in_thread = in_thread

    async def export(self, images: Sequence[ImageName], fd: int) -> AsyncGenerator[Report, None]:
        """Write ``images`` to ``fd``, a file or a pipe, which is closed at the end.

        Of an index those platforms are written of which all is here; where there is none, and
        for a blob that has rotted, it raises ``ArchiveError``; for what is not here at all
        ``NotKept``, and ``FileError`` where ``fd`` takes no more. Tells ``Progress``, and
        ``Exported`` at the end.
        """
        target = OpenFile(fd, self._in_thread)
        try:
            chosen = [await self._choose(image.or_latest()) for image in images]
            async for report in self._write(_Tar(target), chosen):
                yield report
        finally:
            target.close()

    async def _choose(self, name: ImageName) -> _Chosen:
        tree = await self._inventory.find(name)
        whole = [child for child in tree.children if child.is_whole]
        if tree.descriptor.media_type in INDEX_TYPES and tree.row is not None and whole:
            return _Chosen(name, tree, flat([evolve(tree, children=tuple(whole))]))
        if not tree.is_whole or tree.descriptor.media_type in INDEX_TYPES:
            raise ArchiveError(f"{name} is not whole here: hubmirror pull {name} makes it so")
        return _Chosen(name, tree, flat([tree]))

    async def _write(self, tar: _Tar, chosen: Sequence[_Chosen]) -> AsyncGenerator[Report, None]:
        parts = {digest: part for one in chosen for digest, part in one.parts.items()}
        sizes = {digest: part.row.size for digest, part in parts.items() if part.row is not None}
        total, done = sum(sizes.values()), 0
        entries = [one.descriptor() for one in chosen]
        index = {"schemaVersion": 2, "mediaType": _OCI_INDEX, "manifests": entries}
        await tar.add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        await tar.add("index.json", json.dumps(index).encode())
        for folder in ("blobs", *sorted({f"blobs/{digest.algorithm}" for digest in sizes})):
            await tar.add_folder(folder)
        for digest, size in sizes.items():
            async for count in self._copy(tar, digest, size):
                done += count
                yield Progress("exported", done, total)
        await tar.end()
        names = tuple(str(one.name) for one in chosen)
        platforms = sorted({platform for one in chosen for platform in one.platforms()})
        yield Exported(names, tuple(platforms), len(sizes), total)

    async def _copy(self, tar: _Tar, digest: Digest, size: int) -> AsyncGenerator[int, None]:
        kept = await self._blobs.open(digest)
        if kept is None or kept.length != size:
            if kept is not None:
                kept.close()
            raise ArchiveError(f"{digest} has gone meanwhile, or has rotted")
        source = OpenFile(kept.fd, self._in_thread)
        hashed = hashlib.new(digest.algorithm)
        try:
            await tar.begin(f"blobs/{digest.algorithm}/{digest.encoded}", size)
            async for data in source.chunks(kept.start, size):
                await tar.write(data, hashed)
                yield len(data)
            await tar.pad(size)
        finally:
            source.close()
        if hashed.hexdigest() != digest.encoded:
            raise ArchiveError(f"{digest} has rotted: hubmirror cache verify drops it")


class _Tar:
    """A tar that is written front to back, its files as root's, of no time."""

    def __init__(self, target: OpenFile) -> None:
        self._target = target

    async def add(self, name: str, data: bytes) -> None:
        await self.begin(name, len(data))
        await self.write(data)
        await self.pad(len(data))

    async def add_folder(self, name: str) -> None:
        entry = tarfile.TarInfo(f"{name}/")
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        await self.write(entry.tobuf(tarfile.GNU_FORMAT))

    async def begin(self, name: str, size: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o644
        await self.write(entry.tobuf(tarfile.GNU_FORMAT))

    async def pad(self, size: int) -> None:
        await self.write(bytes(-size % _BLOCK))

    async def end(self) -> None:
        await self.write(bytes(2 * _BLOCK))

    async def write(self, data: bytes, hashed: Any = None) -> None:
        await self._target.write(data, hashed)
