"""A small answer's time, asked for at a steady rate."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.content import NAME, TAG, Content
from bench.prober import percentile, probing
from tests.bench.test_hub import served


def test_each_answer_is_timed(tmp_path: Path) -> None:
    """As many as come while something else goes on, and no less than one."""
    content = Content(tmp_path / "content")
    content.image([])
    with served(content) as (registry, _):
        with probing(f"{registry.url}/v2/{NAME}/manifests/{TAG}") as prober:
            pass
        assert prober.milliseconds
        assert min(prober.milliseconds) > 0


def test_a_wrong_answer_is_never_timed(tmp_path: Path) -> None:
    """A peer that fails fast must not look fast."""
    content = Content(tmp_path / "content")
    with (
        served(content) as (registry, _),
        pytest.raises(RuntimeError, match="could not be probed"),
        probing(f"{registry.url}/v3/"),
    ):
        pass


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0), (1.0, 100.0)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    """In whatever order they came."""
    assert percentile([float(number) for number in range(100, 0, -1)], share) == value
