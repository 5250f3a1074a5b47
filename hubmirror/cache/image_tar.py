"""One image as a tar that engines load: its bytes are known before the first of them is sent.

It is an OCI image layout (OCI image-spec 1.1, ``image-layout.md``) with the ``manifest.json`` of
``docker save`` beside it (Docker Image Specification 1.2, "Combined Image JSON"), so that engines
of either kind find their way. All files are root's, of no time, in an order that the image alone
decides. Names in it are made of digests: nothing that a manifest says becomes a path.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any, Final

from attrs import field, frozen

from hubmirror.cache.archive import CONTAINERD_NAME, REF_NAME
from hubmirror.cache.image_names import ImageName
from hubmirror.cache.manifest import Descriptor
from hubmirror.errors import ManifestInvalid
from hubmirror.naming import Digest

__all__ = ["END", "ImageTar", "Part", "image_tar"]

#: What ends a tar: two blocks of zeros (POSIX.1-2017, pax, "ustar Interchange Format").
END: Final = bytes(1024)
#: The most blobs of one image; no engine loads an image of so many layers.
MOST_BLOBS: Final = 1024

_BLOCK: Final = 512
_LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'
_OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_HUB: Final = "docker.io/"
#: Configs of images that an engine can run; what else is called an image it can't load.
_IMAGE_CONFIGS: Final = frozenset(
    (
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    )
)


@frozen
class Part:
    """A file of the tar, or (with a slash at its end) a folder.

    ``content`` is all of it, or the digest of a blob of ``size`` bytes.
    """

    name: str
    size: int
    content: bytes | Digest = field(repr=False)

    def head(self) -> bytes:
        """What stands before the content."""
        entry = tarfile.TarInfo(self.name)
        entry.size, entry.mode = self.size, 0o644
        if self.name.endswith("/"):
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        return entry.tobuf(tarfile.GNU_FORMAT)

    def tail(self) -> bytes:
        """What stands behind it."""
        return bytes(-self.size % _BLOCK)


@frozen
class ImageTar:
    """The parts in their order; ``END`` follows the last of them."""

    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """How many bytes the whole has."""
        return sum(map(_length, self.parts)) + len(END)

    @property
    def blobs(self) -> Iterator[Digest]:
        """Those whose bytes come from elsewhere, in their order."""
        return (part.content for part in self.parts if isinstance(part.content, Digest))


def image_tar(
    name: ImageName,
    manifest: Descriptor,
    document: bytes,
    children: Sequence[Descriptor],
    config: bytes,
) -> ImageTar:
    """The tar of the image ``name``, whose ``manifest`` is ``document`` and refers to ``children``:

    a config, the bytes of which are here already, and layers. Raises ``ManifestInvalid`` where
    they are too many, or one has two sizes, or the config another than it is said to have.
    """
    config_descriptor, *layers = children
    if config_descriptor.size != len(config):
        raise ManifestInvalid("the image's config has another size than its manifest tells")
    blobs = {
        manifest.digest: Part(_path(manifest.digest), len(document), document),
        config_descriptor.digest: Part(_path(config_descriptor.digest), len(config), config),
    }
    for layer in layers:
        part = Part(_path(layer.digest), layer.size, layer.digest)
        if blobs.setdefault(layer.digest, part).size != layer.size:
            raise ManifestInvalid("the manifest tells two sizes of one blob")
    if len(blobs) > MOST_BLOBS:
        raise ManifestInvalid(f"the image has more than {MOST_BLOBS} blobs")
    described = [_file("index.json", _index(name, manifest))]
    if config_descriptor.media_type in _IMAGE_CONFIGS:
        described.append(_file("manifest.json", _docker(name, config_descriptor, layers)))
    folders = ["blobs/", *sorted({f"blobs/{digest.algorithm}/" for digest in blobs})]
    return ImageTar(
        (
            Part("oci-layout", len(_LAYOUT), _LAYOUT),
            *described,
            *(Part(folder, 0, b"") for folder in folders),
            *blobs.values(),
        )
    )


def _length(part: Part) -> int:
    return len(part.head()) + part.size + len(part.tail())


def _path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def _file(name: str, document: Any) -> Part:
    content = json.dumps(document, separators=(",", ":")).encode()
    return Part(name, len(content), content)


def _index(name: ImageName, manifest: Descriptor) -> Any:
    entry: dict[str, Any] = {
        "mediaType": manifest.media_type,
        "digest": str(manifest.digest),
        "size": manifest.size,
    }
    if not isinstance(name.reference, Digest):
        entry["annotations"] = {CONTAINERD_NAME: str(name), REF_NAME: str(name)}
    return {"schemaVersion": 2, "mediaType": _OCI_INDEX, "manifests": [entry]}


def _docker(name: ImageName, config: Descriptor, layers: Sequence[Descriptor]) -> Any:
    """An engine tags by it; what was asked for by its digest has no tag."""
    is_tagged = not isinstance(name.reference, Digest)
    return [
        {
            "Config": _path(config.digest),
            "RepoTags": [_familiar(name)] if is_tagged else None,
            "Layers": [_path(layer.digest) for layer in layers],
        }
    ]


def _familiar(name: ImageName) -> str:
    """As docker spells it: Docker Hub's images have no host."""
    written = str(name)
    return (
        written.removeprefix(_HUB).removeprefix("library/") if written.startswith(_HUB) else written
    )
