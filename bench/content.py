"""What the upstream has: blobs that don't compress, and images made of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

__all__ = ["MANIFEST_TYPE", "NAME", "TAG", "Blob", "Content"]

#: The one repository, and the tag of its one image.
NAME, TAG = "bench/image", "latest"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"

_CHUNK = 1 << 20


@frozen
class Blob:
    """A blob's digest and its length in bytes."""

    digest: str
    length: int

    @property
    def path(self) -> str:
        """Its path in a registry."""
        return f"/v2/{NAME}/blobs/{self.digest}"


class Content:
    """The folder that ``bench.hub`` serves, made anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("blobs", "manifests"):
            (folder / part).mkdir(parents=True)

    def blob(self, length: int) -> Blob:
        """A new blob of ``length`` bytes."""
        path = self.folder / "blob"
        digest = write_noise(path, length)
        path.rename(self.folder / "blobs" / digest)
        return Blob(digest, length)

    def image(self, layers: Sequence[Blob]) -> Blob:
        """A new image of ``layers``, under its digest and as ``TAG``; its manifest."""
        config = self.blob(2000)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _described(config, _CONFIG_TYPE),
            "layers": [_described(layer, _LAYER_TYPE) for layer in layers],
        }
        body = json.dumps(manifest).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        for reference in (digest, TAG):
            (self.folder / "manifests" / reference).write_bytes(body)
        return Blob(digest, len(body))


def write_noise(path: Path, length: int) -> str:
    """Write ``length`` random bytes, a MiB of them over and over; their digest."""
    digest = hashlib.sha256()
    chunk = os.urandom(_CHUNK)
    with path.open("wb") as file:
        for begin in range(0, length, len(chunk)):
            piece = chunk[: length - begin]
            file.write(piece)
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


def _described(blob: Blob, media_type: str) -> dict[str, str | int]:
    return {"mediaType": media_type, "size": blob.length, "digest": blob.digest}
