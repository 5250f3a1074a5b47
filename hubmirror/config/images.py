"""Settings that name images and their platforms.

As in ``values``, a parser raises ``ValueError`` with what is wrong.
"""

from __future__ import annotations

import re

from hubmirror.config.values import shown, texts
from hubmirror.errors import RegistryError
from hubmirror.naming import Repository, Tag, parse_digest

__all__ = ["images", "platforms"]

_HOST = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]{1,5})?")
_PLATFORM = re.compile(r"[a-z0-9_.-]+/[a-z0-9_.-]+(?:/[a-z0-9_.-]+)?")


def images(raw: object) -> tuple[str, ...]:
    """Images as ``docker pull`` takes them: ``busybox``, ``ghcr.io/a/b:1``, ``a/b@sha256:…``."""
    return tuple(map(_image, texts(raw)))


def platforms(raw: object) -> tuple[str, ...]:
    """Platforms as ``os/architecture`` or ``os/architecture/variant``."""
    return tuple(map(_platform, texts(raw)))


def _image(written: str) -> str:
    rest, at, digest = written.partition("@")
    host, name, tag = _parted(rest)
    try:
        Repository(host, name)
        if tag is not None:
            Tag(tag)
        if at:
            parse_digest(digest)
    except RegistryError:
        raise ValueError(f"{shown(written)} is not the name of an image") from None
    return written


def _parted(written: str) -> tuple[str, str, str | None]:
    """Host ("" without one), name and tag: a first component with a dot or a port is a host."""
    first, slash, rest = written.partition("/")
    is_host = first == "localhost" or "." in first or ":" in first
    host, rest = (first, rest) if slash and is_host else ("", written)
    if host and not _HOST.fullmatch(host):
        raise ValueError(f"{shown(written)} begins with what is no host")
    name, colon, tag = rest.partition(":")
    return host, name, tag if colon else None


def _platform(written: str) -> str:
    if not _PLATFORM.fullmatch(written):
        raise ValueError(f"{shown(written)} is not a platform")
    return written
