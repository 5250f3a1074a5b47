"""One image as a tar, read back by another implementation."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.cache.archive import CONTAINERD_NAME, REF_NAME
from hubmirror.cache.image_names import ImageName, ImageNames
from hubmirror.cache.image_tar import END, ImageTar, image_tar
from hubmirror.cache.manifest import Descriptor
from hubmirror.errors import ManifestInvalid
from hubmirror.naming import Digest

NAMES = ImageNames("docker.io", library_prefix=True)
MANIFEST = b'{"schemaVersion": 2}'
CONFIG = b"{}"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


def described(content: bytes, media_type: str, algorithm: str = "sha256") -> Descriptor:
    """``content`` as a manifest refers to it."""
    digest = Digest(algorithm, hashlib.new(algorithm, content).hexdigest())
    return Descriptor(media_type, digest, len(content))


def packed(
    layers: list[Descriptor], name: str = "busybox:1", config: str = CONFIG_TYPE
) -> ImageTar:
    """An image of these layers."""
    image: ImageName = NAMES.parse(name)
    top = described(MANIFEST, "application/vnd.oci.image.manifest.v1+json")
    return image_tar(image, top, MANIFEST, [described(CONFIG, config), *layers], CONFIG)


def written(tar: ImageTar, blobs: dict[Digest, bytes]) -> bytes:
    """The bytes of ``tar``."""
    out = bytearray()
    for part in tar.parts:
        content = part.content if isinstance(part.content, bytes) else blobs[part.content]
        out += part.head() + content + part.tail()
    return bytes(out + END)


def read(data: bytes) -> dict[str, bytes]:
    """Its files, by their names."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = [(entry, tar.extractfile(entry)) for entry in tar]
        assert {(entry.mtime, entry.uid, entry.gid) for entry, _ in found} == {(0, 0, 0)}
        return {entry.name: file.read() for entry, file in found if file is not None}


@given(
    contents=st.lists(st.binary(max_size=2000), max_size=8),
    algorithm=st.sampled_from(["sha256", "sha512"]),
)
def test_what_is_written_is_read_back(contents: list[bytes], algorithm: str) -> None:
    """It is as long as was said, and the same image gives the same bytes."""
    layers = [described(content, LAYER_TYPE, algorithm) for content in contents]
    blobs = {layer.digest: content for layer, content in zip(layers, contents, strict=True)}

    tar = packed(layers)
    data = written(tar, blobs)

    assert len(data) == tar.size
    assert data == written(packed(layers), blobs)
    files = read(data)
    (described_image,) = json.loads(files["manifest.json"])
    assert [files[path] for path in described_image["Layers"]] == contents
    assert files[described_image["Config"]] == CONFIG
    for layer in layers:
        assert files[f"blobs/{algorithm}/{layer.digest.encoded}"] == blobs[layer.digest]


@given(size=st.integers(0, 2**62))
def test_any_size_is_told_and_read(size: int) -> None:
    """Also of what is larger than eight GiB, which the plain format can't say."""
    layer = evolve(described(b"large", LAYER_TYPE), size=size)
    tar = packed([layer])
    (part,) = (part for part in tar.parts if part.content == layer.digest)

    assert tarfile.TarInfo.frombuf(part.head(), "utf-8", "strict").size == size
    assert tar.size == packed([]).size + 512 + size + -size % 512


def test_names_are_made_of_digests_alone() -> None:
    """Whatever a manifest calls its content."""
    layer = described(b"layer", "../../etc/passwd\0")

    names = [part.name for part in packed([layer]).parts]

    assert names == [
        "oci-layout",
        "index.json",
        "manifest.json",
        "blobs/",
        "blobs/sha256/",
        f"blobs/sha256/{hashlib.sha256(MANIFEST).hexdigest()}",
        f"blobs/sha256/{hashlib.sha256(CONFIG).hexdigest()}",
        f"blobs/sha256/{layer.digest.encoded}",
    ]


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("busybox:1", "busybox:1"),
        ("team/app:2", "team/app:2"),
        ("ghcr.io/owner/app:3", "ghcr.io/owner/app:3"),
        (f"busybox@sha256:{'0' * 64}", None),
    ],
)
def test_engines_tag_it_as_they_would(name: str, tag: str | None) -> None:
    """As docker writes names; by a digest there is no tag."""
    files = read(written(packed([], name), {}))

    assert json.loads(files["manifest.json"])[0]["RepoTags"] == (tag and [tag])
    (entry,) = json.loads(files["index.json"])["manifests"]
    full = str(NAMES.parse(name))
    assert entry.get("annotations") == (tag and {REF_NAME: full, CONTAINERD_NAME: full})


def test_what_is_no_image_has_no_manifest_of_dockers() -> None:
    """A chart, say: it is an OCI layout, and no engine tries to load it."""
    assert "manifest.json" not in read(
        written(packed([], config="application/vnd.cncf.helm.config.v1+json"), {})
    )


def test_a_blob_that_is_two_layers_is_there_once() -> None:
    """And both layers lead to it."""
    layer = described(b"twice", LAYER_TYPE)
    files = read(written(packed([layer, layer]), {layer.digest: b"twice"}))

    assert len(json.loads(files["manifest.json"])[0]["Layers"]) == 2
    assert sum(name.startswith("blobs/") for name in files) == 3


def test_a_manifest_that_contradicts_itself_is_refused() -> None:
    """One blob of two sizes, or a config of another size than was told."""
    layer = described(b"layer", LAYER_TYPE)
    with pytest.raises(ManifestInvalid, match="two sizes"):
        packed([layer, evolve(layer, size=7)])
    top = described(MANIFEST, "application/vnd.oci.image.manifest.v1+json")
    with pytest.raises(ManifestInvalid, match="another size"):
        image_tar(NAMES.parse("a:1"), top, MANIFEST, [described(CONFIG, "")], b"{} ")


def test_an_image_of_too_many_layers_is_refused() -> None:
    """Each would be a request."""
    layers = [described(b"%d" % number, LAYER_TYPE) for number in range(1100)]
    with pytest.raises(ManifestInvalid, match="more than 1024"):
        packed(layers)
