"""Which of a tag's kept manifests a client would have got from the upstream itself.

A tag has one natural manifest, often an index. A client that lists its media type gets it; an
old one, that lists no index, gets what the upstream makes of it for such clients. Source: OCI
distribution-spec 1.1, "Pulling manifests"; RFC 9110, section 12.5.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from hubmirror.cache.interfaces import TagEntry
from hubmirror.cache.manifest import INDEX_TYPES

__all__ = ["accepted_types", "accepts", "choose", "variant_of"]

_NATURAL: Final = "natural"
#: How many lists of accepted types are remembered: clients have few.
REMEMBERED: Final = 256


@lru_cache(REMEMBERED)
def accepted_types(accept: tuple[str, ...]) -> frozenset[str]:
    """The media types of all ``Accept`` fields; those with ``q=0`` are not among them."""
    found = set()
    for item in ",".join(accept).split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_type and not any(_is_zero(parameter) for parameter in parameters):
            found.add(media_type)
    return frozenset(found)


def accepts(accept: tuple[str, ...], media_type: str) -> bool:
    """Whether a client that sent ``accept`` takes ``media_type``; none sent takes all."""
    listed = accepted_types(accept)
    return not listed or media_type.lower() in listed or bool({"*/*", "application/*"} & listed)


def variant_of(accept: tuple[str, ...], media_type: str) -> str:
    """Under which name an answer of ``media_type`` to ``accept`` is kept.

    An index is a tag's natural manifest, and so is what a client got that would have taken an
    index. Anything else is an answer to that very list of types.
    """
    listed = accepted_types(accept)
    if media_type in listed and (media_type in INDEX_TYPES or listed >= INDEX_TYPES):
        return _NATURAL
    return _own_variant(listed)


def choose(entries: Sequence[TagEntry], accept: tuple[str, ...]) -> TagEntry | None:
    """The entry that the upstream would answer a client with, or None where that is unknown."""
    listed = accepted_types(accept)
    for entry in entries:
        if entry.variant == _NATURAL and entry.media_type.lower() in listed:
            return entry
    own = _own_variant(listed)
    return next((entry for entry in entries if entry.variant == own), None)


@lru_cache(REMEMBERED)
def _own_variant(listed: frozenset[str]) -> str:
    return " ".join(sorted(listed))


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip() in ("0", "0.0", "0.00", "0.000")
