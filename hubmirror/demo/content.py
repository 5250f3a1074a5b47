"""What a registry holds, as values: manifests and blobs, each known by its digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from zope.interface import Attribute, Interface, implementer

from hubmirror.naming import Digest

__all__ = [
    "INDEX_TYPES",
    "OCI_INDEX",
    "Blob",
    "IBlob",
    "Manifest",
    "sha256_digest",
]

OCI_INDEX = "application/vnd.oci.image.index.v1+json"

#: The media types of a document that lists manifests, one a platform.
INDEX_TYPES = (OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")


def sha256_digest(content: bytes) -> Digest:
    """The digest of these bytes."""
    return Digest("sha256", hashlib.sha256(content).hexdigest())


@frozen
class Manifest:
    """An image manifest or an index, as the bytes that its digest is made of."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> Digest:
        """The digest of ``content``."""
        return sha256_digest(self.content)

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object that ``content`` spells."""
        document: dict[str, Any] = json.loads(self.content)
        return document

    def descriptor(self) -> dict[str, Any]:
        """Its descriptor (OCI image-spec, ``descriptor.md``)."""
        size = len(self.content)
        return {"mediaType": self.media_type, "digest": str(self.digest), "size": size}


class IBlob(Interface):
    """A blob's bytes, read piece by piece."""

    size: int = Attribute("How many bytes it has.")

    def read(offset: int, length: int) -> Deferred[bytes]:
        """``length`` bytes from ``offset``; both lie within ``size``."""


@implementer(IBlob)
@frozen
class Blob:
    """A blob in memory, or in a file that nobody changes."""

    digest: Digest
    size: int
    source: bytes | Path

    @classmethod
    def of(cls, content: bytes) -> Blob:
        """The blob of these bytes."""
        return cls(sha256_digest(content), len(content), content)

    @classmethod
    def of_file(cls, path: Path) -> Blob:
        """The blob of this file's bytes: read once now, and again whenever it is served."""
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        return cls(Digest("sha256", digest.hexdigest()), path.stat().st_size, path)

    def read(self, offset: int, length: int) -> Deferred[bytes]:
        if isinstance(self.source, bytes):
            return succeed(self.source[offset : offset + length])
        with self.source.open("rb") as file:
            file.seek(offset)
            return succeed(file.read(length))
