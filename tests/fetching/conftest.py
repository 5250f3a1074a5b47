"""What the tests of fetching share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fetching.scene import KIB, MakeScene, Scene, make_blob


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[MakeScene]:
    """Makes a scene, of a blob of 200 KiB unless told otherwise; at the end nothing may be left."""
    made: list[Scene] = []

    def make(blob: bytes | None = None, **options: Any) -> Scene:
        made.append(Scene(tmp_path, make_blob(200 * KIB) if blob is None else blob, **options))
        return made[-1]

    yield make
    for scene in made:
        scene.close()


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    """The usual one."""
    return make_scene()
