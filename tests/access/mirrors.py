"""A mirror in memory whose configuration has a table about access."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.mirror.hub import ACCEPT, Hub
from tests.registry.edge import Edge

__all__ = ["ACCEPT", "BUSYBOX", "TAG", "mirror_of"]

BUSYBOX = "/v2/library/busybox/manifests/latest"
TAG = "latest"


def mirror_of(folder: Path, text: str, **settings: Any) -> Hub:
    """A mirror whose configuration file holds ``text``, of a Hub with an image."""
    (folder / "data").mkdir(exist_ok=True)
    path = folder / "hubmirror.toml"
    path.write_text(text)
    edge = Edge(prefetch="off", config=str(path), folder=folder / "data", **settings)
    hub = Hub(edge)
    hub.put_image("library/busybox", TAG, b"layer")
    hub.put_image("team/app", TAG, b"another layer")
    return hub
