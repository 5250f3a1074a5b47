"""The setting of where searches go."""

from __future__ import annotations

from hubmirror.config.addresses import origin
from hubmirror.config.setting import Setting

__all__ = ["SEARCH_SETTINGS", "search_origin"]


def search_origin(raw: object) -> str | None:
    """As ``origin``; "" for ``off``, None for empty text."""
    if raw in ("", "off"):
        return "" if raw == "off" else None
    return origin(raw)


SEARCH_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "search_upstream",
        search_origin,
        "",
        "Where docker search asks; unset, https://index.docker.io if the upstream is Docker Hub.",
        "an http or https URL of a host alone, or off",
    ),
)
