"""Images that are kept, small but whole: manifests, configs, layers, rows, links and tags."""

from __future__ import annotations

import json
from typing import Any

from attrs import define, field

from hubmirror.cache.interfaces import BlobRow, IBlobStore, IIndex, Link, TagEntry
from hubmirror.naming import Digest, Repository
from tests.cache.memory import MemoryBlobStore, MemoryIndex, digest_of

__all__ = ["BUSYBOX", "INDEX", "LAYER", "MANIFEST", "Kept", "described"]

BUSYBOX = Repository("docker.io", "library/busybox")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def described(media_type: str, digest: Digest, size: int = 1) -> dict[str, Any]:
    """A descriptor, as JSON has it."""
    return {"mediaType": media_type, "digest": str(digest), "size": size}


@define
class Kept:
    """A store and its index. Each method keeps something, last asked for at ``at``."""

    index: IIndex = field(factory=MemoryIndex)
    blobs: IBlobStore = field(factory=MemoryBlobStore)
    repository: Repository = BUSYBOX

    async def blob(self, data: bytes, at: float, media_type: str | None = None) -> Digest:
        """A blob with its link; one that is kept already is only asked for again."""
        digest = digest_of(data)
        await self.index.put_link(Link(self.repository, digest, media_type))
        if await self.index.blob(digest) is None:
            await self.blobs.put(digest, data)
            await self.index.put_blob(BlobRow(digest, len(data), at))
        await self.index.touch([digest], at)
        return digest

    async def image(self, name: str, at: float, *layers: bytes, tag: str | None = None) -> Digest:
        """An image of one platform: its manifest, a config of its own, its layers."""
        config = await self.blob(f"config of {name}".encode(), at)
        digests = [await self.blob(layer, at) for layer in layers]
        body = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(CONFIG, config),
            "layers": [described(LAYER, digest) for digest in digests],
        }
        return await self._manifest(body, at, tag)

    async def index_of(self, at: float, *manifests: Digest, tag: str | None = None) -> Digest:
        """An index of ``manifests``."""
        body = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [described(MANIFEST, digest) for digest in manifests],
        }
        return await self._manifest(body, at, tag)

    async def _manifest(self, body: dict[str, Any], at: float, tag: str | None) -> Digest:
        kind = str(body["mediaType"])
        digest = await self.blob(json.dumps(body).encode(), at, kind)
        if tag is not None:
            await self.index.put_tag(TagEntry(self.repository, tag, "", digest, kind, at))
        return digest
