"""The images made here are right by their own digests."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from hubmirror.demo.content import Blob
from hubmirror.demo.image import (
    DOCKER,
    OCI,
    Image,
    MediaTypes,
    build_image,
    hello_image,
    random_layer,
)
from hubmirror.demo.program import program


def bytes_of(blob: Blob) -> bytes:
    """All bytes of a blob."""
    return blob.source if isinstance(blob.source, bytes) else blob.source.read_bytes()


def blob_named(image: Image, digest: str) -> bytes:
    """The bytes of the blob that a descriptor names."""
    return next(bytes_of(blob) for blob in image.blobs if str(blob.digest) == digest)


@pytest.mark.parametrize("media_types", [OCI, DOCKER])
def test_every_descriptor_is_right(media_types: MediaTypes) -> None:
    """From the index down, each digest, size and diff_id is that of the bytes it names."""
    image = hello_image(media_types)
    entries = image.index.document["manifests"]
    assert [entry["platform"]["architecture"] for entry in entries] == ["amd64", "arm64"]
    assert image.index.document["mediaType"] == image.index.media_type == media_types.index
    for entry, manifest in zip(entries, image.manifests, strict=True):
        assert entry["digest"] == str(manifest.digest)
        assert entry["size"] == len(manifest.content)
        document = manifest.document
        assert document["config"]["mediaType"] == media_types.config
        config = json.loads(blob_named(image, document["config"]["digest"]))
        assert config["architecture"] == entry["platform"]["architecture"]
        (layer,) = document["layers"]
        packed = blob_named(image, layer["digest"])
        assert layer["size"] == len(packed)
        diff_id = "sha256:" + hashlib.sha256(gzip.decompress(packed)).hexdigest()
        assert config["rootfs"]["diff_ids"] == [diff_id]


def test_layer_holds_the_program() -> None:
    """The layer is a tar archive with an executable ``hello``."""
    image = hello_image()
    packed = blob_named(image, image.manifests[1].document["layers"][0]["digest"])
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        (member,) = archive.getmembers()
        file = archive.extractfile(member)
        assert file is not None
        assert (member.name, member.mode, file.read()) == ("hello", 0o755, program("arm64"))


def test_same_input_gives_the_same_bytes() -> None:
    """Two builds have one digest."""
    assert hello_image() == hello_image()
    assert hello_image(OCI).index.digest != hello_image(DOCKER).index.digest


def test_random_layer_follows_from_its_seed(tmp_path: Path) -> None:
    """A layer of a given size, the same for the same seed, whose diff_id is right."""
    one, same, other = (random_layer(tmp_path / str(i), 3 << 20, seed=i // 2) for i in range(3))
    assert one.blob.digest == same.blob.digest != other.blob.digest
    packed = (tmp_path / "0").read_bytes()
    assert len(packed) == one.blob.size > 3 << 20
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == one.diff_id.encoded
    image = build_image({"amd64": [one]})
    assert image.manifests[0].document["layers"][0]["digest"] == str(one.blob.digest)
