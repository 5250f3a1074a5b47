"""One image out of an index, by its platform.

Source: OCI image-spec 1.1, ``image-index.md``; that ``arm64`` is ``arm64/v8`` and ``arm`` is
``arm/v7`` is how containerd has it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from hubmirror.cache.manifest import MANIFEST_TYPES, Descriptor, Platform
from hubmirror.cache.platforms import spelled
from hubmirror.errors import BadRequest, ManifestUnknown, RegistryError

__all__ = ["chosen", "is_platform", "offered", "requires"]

#: How many an error tells at most.
MOST_TOLD: Final = 64

_PLATFORM: Final = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?")
_LONGEST: Final = 64
_DEFAULT_VARIANTS: Final = {"arm64": "v8", "arm": "v7"}
_UNKNOWN: Final = "unknown"


def is_platform(text: str) -> bool:
    """Whether ``text`` spells one: ``linux/arm64``, ``linux/arm/v7``."""
    return len(text) <= _LONGEST and _PLATFORM.fullmatch(text) is not None


def offered(entries: Sequence[Descriptor]) -> list[Descriptor]:
    """The images among an index's ``entries``: no attestations, which are for ``unknown/unknown``.

    One that tells no platform counts only where it is alone.
    """
    images = [entry for entry in entries if entry.media_type in MANIFEST_TYPES]
    known = [entry for entry in images if _names(entry)]
    return known or (images if len(images) == 1 and images[0].platform is None else [])


def chosen(entries: Sequence[Descriptor], wanted: str | None) -> Descriptor:
    """The one entry for ``wanted``, or the only one there is where nothing is.

    Raises ``ManifestUnknown`` where there is none, ``BadRequest`` where there are several; both
    tell the platforms there are.
    """
    images = offered(entries)
    found = [one for one in images if wanted is None or _fits(one.platform, wanted)]
    exact = [one for one in found if one.platform is not None and spelled(one.platform) == wanted]
    if len(found) == 1 or len(exact) == 1:
        return (exact or found)[0]
    raise _refusal(images, wanted, is_ambiguous=bool(found))


def requires(platform: Platform | None, wanted: str | None) -> None:
    """Raises ``ManifestUnknown`` where an image without an index is for another one."""
    if wanted is not None and not _fits(platform, wanted):
        there = [] if platform is None else [platform]
        raise _told(ManifestUnknown, f"the image is not for {wanted}", there)


def _fits(platform: Platform | None, wanted: str) -> bool:
    if platform is None:
        return False
    system, architecture, *variant = wanted.split("/")
    if (platform.os, platform.architecture) != (system, architecture):
        return False
    default = _DEFAULT_VARIANTS.get(architecture)
    return not variant or variant[0] == (platform.variant or default)


def _names(entry: Descriptor) -> bool:
    platform = entry.platform
    return platform is not None and platform.os != _UNKNOWN and is_platform(spelled(platform))


def _refusal(
    images: Sequence[Descriptor], wanted: str | None, *, is_ambiguous: bool
) -> RegistryError:
    platforms = [one.platform for one in images if one.platform is not None]
    if not is_ambiguous:
        nothing = "it has no image that runs" if wanted is None else f"it has nothing for {wanted}"
        return _told(ManifestUnknown, nothing, platforms)
    several = "several platforms" if wanted is None else f"several images for {wanted}"
    return _told(
        BadRequest, f"it has {several}: choose one by ?platform=, or by a digest", platforms
    )


def _told(kind: type[RegistryError], why: str, platforms: Sequence[Platform]) -> RegistryError:
    names = sorted({spelled(platform) for platform in platforms if is_platform(spelled(platform))})
    names = names[:MOST_TOLD]
    there = f"; there is {', '.join(names)}" if names else ""
    detail: dict[str, Any] = {"platforms": names}
    return kind(f"{why}{there}", detail=detail)
