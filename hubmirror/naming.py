"""The names of the OCI distribution-spec, parsed once at the edge and typed from there on.

Source: OCI distribution-spec 1.1, "Pulling manifests" and "Definitions"; the digest grammar is
that of the OCI image-spec, ``descriptor.md``.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import field, frozen

from hubmirror.errors import DigestInvalid, ManifestInvalid, NameInvalid

__all__ = [
    "Digest",
    "Reference",
    "Repository",
    "Scope",
    "Tag",
    "library_name",
    "parse_digest",
    "parse_reference",
]

#: The longest name, registry host included, that clients agree on.
MAX_NAME: Final = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_ENCODED_LENGTH = {"sha256": 64, "sha512": 128}
_HEX = re.compile(r"[0-9a-f]+")


@frozen(cache_hash=True)
class Repository:
    """A repository of one registry: ``Repository("docker.io", "library/busybox")``.

    Raises ``NameInvalid`` for a name outside the spec's grammar.
    """

    registry: str
    name: str = field()

    @name.validator
    def _in_grammar(self, _attribute: object, value: str) -> None:
        if len(self.registry) + 1 + len(value) > MAX_NAME or not _NAME.fullmatch(value):
            raise NameInvalid(detail={"name": value[:MAX_NAME]})


@frozen
class Tag:
    """A tag. Raises ``ManifestInvalid`` for text outside the spec's grammar."""

    text: str = field()

    @text.validator
    def _in_grammar(self, _attribute: object, value: str) -> None:
        if not _TAG.fullmatch(value):
            raise ManifestInvalid("the reference is neither a tag nor a digest")

    def __str__(self) -> str:
        return self.text


@frozen(cache_hash=True)
class Digest:
    """A digest of a known algorithm. Raises ``DigestInvalid`` for any other text."""

    algorithm: str
    encoded: str = field()

    @encoded.validator
    def _in_grammar(self, _attribute: object, value: str) -> None:
        if len(value) != _ENCODED_LENGTH.get(self.algorithm) or not _HEX.fullmatch(value):
            raise DigestInvalid()

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


Reference = Tag | Digest


@frozen
class Scope:
    """One resource scope of a token request: ``repository:library/busybox:pull,push``.

    Source: Docker registry v2 token scope documentation. ``actions`` keep their order.
    """

    type: str
    name: str
    actions: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Scope | None:
        """The scope that ``text`` spells, or None where it has another shape.

        The name may itself hold colons (a host with a port), so type and actions are cut off
        the two ends.
        """
        head, _, actions = text.rpartition(":")
        type_, colon, name = head.partition(":")
        if not colon or not type_ or not name:
            return None
        return cls(type_, name, tuple(actions.split(",")))

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


def parse_digest(text: str) -> Digest:
    """Parse ``algorithm:encoded``; raises ``DigestInvalid``."""
    algorithm, _, encoded = text.partition(":")
    return Digest(algorithm, encoded)


def parse_reference(text: str) -> Reference:
    """Parse a manifest's reference: with a colon a digest, else a tag.

    Raises ``DigestInvalid`` or ``ManifestInvalid``.
    """
    return parse_digest(text) if ":" in text else Tag(text)


def library_name(name: str) -> str:
    """Docker Hub's full name of a repository: ``busybox`` is ``library/busybox``."""
    return name if "/" in name else f"library/{name}"
