"""What the Hub serves, behind one interface, and the store that is kept in memory."""

from __future__ import annotations

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, succeed
from zope.interface import Interface, implementer

from hubmirror.demo.content import Blob, IBlob, Manifest
from hubmirror.demo.image import Image
from hubmirror.naming import Digest, Reference, Tag

__all__ = ["IStore", "MemoryStore"]


class IStore(Interface):
    """The content of a registry. Repositories go by their full names."""

    def repositories() -> Deferred[tuple[str, ...]]:
        """The names of all repositories, in order."""

    def tags(repository: str) -> Deferred[tuple[str, ...] | None]:
        """The tags of a repository, in order, or None where there is no such repository."""

    def manifest(repository: str, reference: Reference) -> Deferred[Manifest | None]:
        """The manifest or index of that tag or digest, exactly as it was stored."""

    def referrers(repository: str, subject: Digest) -> Deferred[tuple[Manifest, ...] | None]:
        """The manifests whose subject is that digest, or None where the API is missing."""

    def blob(repository: str, digest: Digest) -> Deferred[IBlob | None]:
        """The blob of that digest."""


@frozen
class _Repository:
    tags: dict[str, Digest] = field(factory=dict)
    manifests: dict[Digest, Manifest] = field(factory=dict)
    blobs: dict[Digest, Blob] = field(factory=dict)


@implementer(IStore)
@define
class MemoryStore:
    """A store that starts empty and holds what is added to it."""

    _repositories: dict[str, _Repository] = field(factory=dict)

    def add_image(self, repository: str, tag: str, image: Image) -> None:
        """Add an image's blobs, manifests and index, and let ``tag`` name the index."""
        for blob in image.blobs:
            self.add_blob(repository, blob)
        for manifest in image.manifests:
            self.add_manifest(repository, manifest)
        self.add_manifest(repository, image.index, tag)

    def add_manifest(self, repository: str, manifest: Manifest, tag: str | None = None) -> None:
        """Add a manifest, and let ``tag`` name it from now on."""
        found = self._repositories.setdefault(repository, _Repository())
        found.manifests[manifest.digest] = manifest
        if tag is not None:
            found.tags[tag] = manifest.digest

    def add_blob(self, repository: str, blob: Blob) -> None:
        """Add a blob."""
        self._repositories.setdefault(repository, _Repository()).blobs[blob.digest] = blob

    def remove(self, repository: str) -> None:
        """Forget a repository and all that it holds."""
        del self._repositories[repository]

    def repositories(self) -> Deferred[tuple[str, ...]]:
        return succeed(tuple(sorted(self._repositories)))

    def tags(self, repository: str) -> Deferred[tuple[str, ...] | None]:
        found = self._repositories.get(repository)
        return succeed(None if found is None else tuple(sorted(found.tags)))

    def manifest(self, repository: str, reference: Reference) -> Deferred[Manifest | None]:
        found = self._repositories.get(repository, _Repository())
        digest = found.tags.get(reference.text) if isinstance(reference, Tag) else reference
        return succeed(None if digest is None else found.manifests.get(digest))

    def referrers(self, repository: str, subject: Digest) -> Deferred[tuple[Manifest, ...] | None]:
        found = self._repositories.get(repository, _Repository())
        return succeed(
            tuple(
                manifest
                for manifest in found.manifests.values()
                if manifest.document.get("subject", {}).get("digest") == str(subject)
            )
        )

    def blob(self, repository: str, digest: Digest) -> Deferred[IBlob | None]:
        return succeed(self._repositories.get(repository, _Repository()).blobs.get(digest))
