"""Images by the names that people type.

Source: the reference grammar of Docker's command line ("docker image tag", "Description"); a first
component with a dot or a colon, or ``localhost``, is a registry.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import evolve, frozen

from hubmirror.errors import HubmirrorError, RegistryError
from hubmirror.naming import Digest, Reference, Repository, Tag, library_name, parse_digest

__all__ = ["ImageName", "ImageNameInvalid", "ImageNames"]

_DOCKER_HUB: Final = "docker.io"
_HOST = re.compile(r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")


class ImageNameInvalid(HubmirrorError):
    """Text that names no image."""


@frozen
class ImageName:
    """A manifest of a repository, or (without a reference) the repository as a whole."""

    repository: Repository
    reference: Reference | None = None

    def or_latest(self) -> ImageName:
        """Itself, or its tag ``latest`` where it names none."""
        return self if self.reference is not None else evolve(self, reference=Tag("latest"))

    def __str__(self) -> str:
        name = f"{self.repository.registry}/{self.repository.name}"
        if self.reference is None:
            return name
        return f"{name}{'@' if isinstance(self.reference, Digest) else ':'}{self.reference}"


@frozen
class ImageNames:
    """The grammar. Names without a host are of ``registry``; with ``library_prefix`` its

    repositories of one component are Docker Hub's official images.
    """

    registry: str
    library_prefix: bool

    def parse(self, text: str) -> ImageName:
        """The image that ``text`` names: ``busybox``, ``library/busybox:1``, ``a.io/b@sha256:…``.

        Beside a digest a tag says nothing more. Raises ``ImageNameInvalid``.
        """
        rest, at, digest = text.partition("@")
        host, rest = self._host(rest)
        name, colon, tag = rest.partition(":")
        try:
            repository = Repository(host, library_name(name) if self._adds_library(host) else name)
            reference = Tag(tag) if colon else None
            return ImageName(repository, parse_digest(digest) if at else reference)
        except RegistryError:
            raise ImageNameInvalid(f"{text[:300]!r} is not the name of an image") from None

    def _host(self, text: str) -> tuple[str, str]:
        first, slash, rest = text.partition("/")
        is_host = first == "localhost" or "." in first or ":" in first
        if not slash or not is_host or not _HOST.fullmatch(first):
            return self.registry, text
        return (_DOCKER_HUB if first == "index.docker.io" else first), rest

    def _adds_library(self, host: str) -> bool:
        return host == _DOCKER_HUB or (self.library_prefix and host == self.registry)
