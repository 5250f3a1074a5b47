"""Idle connections."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.content import NAME, TAG, Content
from bench.idle import idle_connections
from tests.bench.test_hub import served


def test_each_has_had_an_answer(tmp_path: Path) -> None:
    """What refuses them must not look frugal."""
    content = Content(tmp_path / "content")
    content.image([])
    with served(content) as (registry, _):
        with idle_connections(f"{registry.url}/v2/{NAME}/manifests/{TAG}", 3):
            pass
        with (
            pytest.raises(RuntimeError, match="no answer but"),
            idle_connections(f"{registry.url}/v3/", 3),
        ):
            pass
