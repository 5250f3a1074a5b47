"""Images made here: the demo's tiny one, and bigger ones for tests.

Sources: OCI image-spec 1.1 (``image-index.md``, ``manifest.md``, ``config.md``, ``layer.md``)
and Docker's "Image Manifest Version 2, Schema 2". The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from attrs import define, field, frozen

from hubmirror.demo.content import OCI_INDEX, Blob, Manifest
from hubmirror.demo.program import program
from hubmirror.naming import Digest

__all__ = ["DOCKER", "OCI", "Image", "Layer", "MediaTypes", "build_image", "hello_image"]
__all__ += ["hello_layer", "random_layer"]


@frozen
class MediaTypes:
    """What an image's four kinds of document are called."""

    index: str
    manifest: str
    config: str
    layer: str


OCI: Final = MediaTypes(
    OCI_INDEX,
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.oci.image.layer.v1.tar+gzip",
)

DOCKER: Final = MediaTypes(
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
)


@frozen
class Layer:
    """A gzipped tar archive, and the digest of the archive before gzip."""

    blob: Blob
    diff_id: Digest


@frozen
class Image:
    """An index, the manifests it lists, and the blobs that those list."""

    index: Manifest
    manifests: tuple[Manifest, ...]
    blobs: tuple[Blob, ...]


def hello_image(media_types: MediaTypes = OCI) -> Image:
    """A program that prints a line, for linux/amd64 and linux/arm64."""
    layers = {architecture: [hello_layer(architecture)] for architecture in ("amd64", "arm64")}
    return build_image(layers, media_types)


def build_image(layers: Mapping[str, Sequence[Layer]], media_types: MediaTypes = OCI) -> Image:
    """An image for Linux with, for each architecture, these layers from the bottom up."""
    manifests: list[Manifest] = []
    blobs: dict[Digest, Blob] = {}
    descriptors: list[dict[str, Any]] = []
    for architecture, stack in layers.items():
        config = _config(architecture, stack)
        manifest = _manifest(config, stack, media_types)
        manifests.append(manifest)
        platform = {"architecture": architecture, "os": "linux"}
        descriptors.append({**manifest.descriptor(), "platform": platform})
        blobs.update({blob.digest: blob for blob in (config, *(layer.blob for layer in stack))})
    index = _document(media_types.index, {"manifests": descriptors})
    return Image(index, tuple(manifests), tuple(blobs.values()))


def hello_layer(architecture: str) -> Layer:
    """The layer with the one file ``/hello``, an executable."""
    packed = io.BytesIO()
    content = program(architecture)
    diff_id = _write_layer(packed, "hello", len(content), io.BytesIO(content), compresslevel=9)
    return Layer(Blob.of(packed.getvalue()), diff_id)


def random_layer(path: Path, size: int, seed: int = 0) -> Layer:
    """A layer with a file ``data`` of ``size`` random bytes, kept in the file at ``path``.

    It is written in pieces, so a big one costs no memory. The bytes follow from ``seed``.
    """
    with path.open("wb") as packed:
        content = cast(BinaryIO, _RandomFile(random.Random(seed)))  # noqa: S311 - not a secret
        diff_id = _write_layer(packed, "data", size, content, compresslevel=0)
    return Layer(Blob.of_file(path), diff_id)


def _config(architecture: str, layers: Sequence[Layer]) -> Blob:
    diff_ids = [str(layer.diff_id) for layer in layers]
    document = {
        "created": "1970-01-01T00:00:00Z",
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "hubmirror demo"}]
        * len(layers),
    }
    return Blob.of(json.dumps(document).encode())


def _manifest(config: Blob, layers: Sequence[Layer], media_types: MediaTypes) -> Manifest:
    document = {
        "config": _descriptor(config, media_types.config),
        "layers": [_descriptor(layer.blob, media_types.layer) for layer in layers],
    }
    return _document(media_types.manifest, document)


def _document(media_type: str, document: dict[str, Any]) -> Manifest:
    whole = {"schemaVersion": 2, "mediaType": media_type, **document}
    return Manifest(media_type, json.dumps(whole, indent=2).encode())


def _descriptor(blob: Blob, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(blob.digest), "size": blob.size}


def _write_layer(
    packed: BinaryIO, name: str, size: int, content: BinaryIO, compresslevel: int
) -> Digest:
    """Write a gzipped archive with one file to ``packed``; gives the diff_id."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o755
    with gzip.GzipFile("", "wb", compresslevel, packed, mtime=0) as compressed:
        archive = _HashingWriter(compressed)
        with tarfile.open(mode="w|", fileobj=cast(BinaryIO, archive)) as tar:
            tar.addfile(entry, content)
    return archive.digest


@define
class _HashingWriter:
    """Passes bytes on to a file and takes their digest."""

    _file: gzip.GzipFile
    _sha256: Any = field(factory=hashlib.sha256)

    def write(self, data: bytes) -> int:
        self._sha256.update(data)
        return self._file.write(data)

    @property
    def digest(self) -> Digest:
        return Digest("sha256", self._sha256.hexdigest())


@frozen
class _RandomFile:
    """An endless file of pseudo-random bytes."""

    _generator: random.Random

    def read(self, size: int) -> bytes:
        return self._generator.randbytes(size)
