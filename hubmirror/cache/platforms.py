"""Platforms as people write them: ``linux/amd64``, ``linux/arm/v7``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from hubmirror.cache.manifest import Platform

__all__ = ["ALL", "is_wanted", "spelled"]

#: Stands for every platform.
ALL: Final = "all"


def spelled(platform: Platform) -> str:
    """``os/architecture``, and the variant where there is one."""
    base = f"{platform.os}/{platform.architecture}"
    return base if platform.variant is None else f"{base}/{platform.variant}"


def is_wanted(platform: Platform | None, wanted: Collection[str]) -> bool:
    """Whether one of ``wanted`` names ``platform``; without a variant it names all variants.

    What is for no platform, such as the attestations that BuildKit puts into an index
    (``unknown/unknown``), only ``ALL`` names.
    """
    if ALL in wanted:
        return True
    if platform is None:
        return False
    return spelled(platform) in wanted or f"{platform.os}/{platform.architecture}" in wanted
