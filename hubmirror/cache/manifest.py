"""What a manifest or an index refers to.

Source: OCI image-spec 1.1, ``manifest.md``, ``image-index.md`` and ``descriptor.md``; Docker's
image manifest version 2, schema 2.
"""

from __future__ import annotations

import json
from typing import Any, Final

from attrs import frozen

from hubmirror.errors import DigestInvalid, ManifestInvalid
from hubmirror.naming import Digest, parse_digest

__all__ = [
    "INDEX_TYPES",
    "MANIFEST_TYPES",
    "MAX_MANIFEST",
    "Descriptor",
    "Platform",
    "is_manifest",
    "references",
]

#: The media types of one image's manifest, and of a list of them for several platforms.
MANIFEST_TYPES: Final = frozenset(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
INDEX_TYPES: Final = frozenset(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)

#: No registry need take a larger manifest (distribution-spec 1.1, "Pushing manifests").
MAX_MANIFEST: Final = 4 * 1024 * 1024
_MAX_SIZE: Final = 2**63
#: The longest part of a platform, in characters.
_MAX_PLATFORM: Final = 64


@frozen
class Platform:
    """What an image runs on: ``linux``, ``arm``, ``v7``."""

    os: str
    architecture: str
    variant: str | None = None


@frozen
class Descriptor:
    """A reference to content; ``size`` in bytes. Only an index's may have a ``platform``."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None


def is_manifest(media_type: str) -> bool:
    """Whether ``references`` reads content of this type."""
    return _essence(media_type) in MANIFEST_TYPES | INDEX_TYPES


def references(media_type: str, body: bytes) -> tuple[Descriptor, ...]:
    """The content that ``body`` is made of: config and layers, or the manifests of an index.

    Of another type there is none. A ``subject`` is no part of what refers to it. Raises
    ``ManifestInvalid`` for what is too large, malformed, or could be read as another type.
    """
    kind = _essence(media_type)
    if kind in MANIFEST_TYPES:
        document = _document(body, kind, foreign=("manifests",))
        return tuple(map(_descriptor, (document.get("config"), *_list(document, "layers"))))
    if kind in INDEX_TYPES:
        document = _document(body, kind, foreign=("config", "layers"))
        return tuple(map(_descriptor, _list(document, "manifests")))
    return ()


def _essence(media_type: str) -> str:
    """The type without its parameters (RFC 9110, section 8.3.1)."""
    return media_type.partition(";")[0].strip().lower()


def _document(body: bytes, kind: str, foreign: tuple[str, ...]) -> dict[str, Any]:
    if len(body) > MAX_MANIFEST:
        raise ManifestInvalid(f"the manifest is larger than {MAX_MANIFEST} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise ManifestInvalid("the manifest is not JSON") from None
    if not isinstance(document, dict) or document.get("schemaVersion") != 2:
        raise ManifestInvalid("the manifest is not of schema version 2")
    # One body that two readers take for different images is an attack (GHSA-mc8v-mgrf-8f4m).
    if document.get("mediaType", kind) != kind or any(key in document for key in foreign):
        raise ManifestInvalid("the manifest is not of the type that it came as")
    return document


def _list(document: dict[str, Any], key: str) -> list[object]:
    value = document.get(key)
    if not isinstance(value, list):
        raise ManifestInvalid(f"the manifest has no list of {key}")
    return value


def _descriptor(value: Any) -> Descriptor:
    match value:
        case {"mediaType": str(media_type), "digest": str(digest), "size": int(size)} if (
            0 <= size < _MAX_SIZE and not isinstance(size, bool)
        ):
            return Descriptor(media_type, _digest(digest), size, _platform(value.get("platform")))
    raise ManifestInvalid("the manifest holds a descriptor that is none")


def _digest(text: str) -> Digest:
    try:
        return parse_digest(text)
    except DigestInvalid:
        raise ManifestInvalid("the manifest holds a digest that is none") from None


def _platform(value: object) -> Platform | None:
    """None for what is none, or longer than any: it is compared with patterns, and remembered."""
    match value:
        case {"os": str(system), "architecture": str(architecture), **rest}:
            told = rest.get("variant")
            variant = told if isinstance(told, str) else None
            if max(map(len, (system, architecture, variant or ""))) <= _MAX_PLATFORM:
                return Platform(system, architecture, variant)
    return None
