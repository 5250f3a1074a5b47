"""Images as OCI image layouts (OCI image-spec, ``image-layout.md``): what skopeo can push."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from hubmirror.demo.content import Blob
from hubmirror.demo.image import Image
from hubmirror.naming import Digest

__all__ = ["write_layout"]


def write_layout(folder: Path, image: Image) -> str:
    """Write ``image`` into a new ``folder``; returns its name for skopeo."""
    for manifest in (image.index, *image.manifests):
        _path(folder, manifest.digest).write_bytes(manifest.content)
    for blob in image.blobs:
        _copy(blob, _path(folder, blob.digest))
    named = {"annotations": {"org.opencontainers.image.ref.name": "image"}}
    index = {"schemaVersion": 2, "manifests": [{**image.index.descriptor(), **named}]}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    return f"oci:{folder}:image"


def _path(folder: Path, digest: Digest) -> Path:
    path = folder / "blobs" / digest.algorithm / digest.encoded
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _copy(blob: Blob, path: Path) -> None:
    if isinstance(blob.source, bytes):
        path.write_bytes(blob.source)
    else:
        shutil.copyfile(blob.source, path)
