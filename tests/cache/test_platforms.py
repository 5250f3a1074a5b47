"""Platforms as people write them."""

from __future__ import annotations

import pytest

from hubmirror.cache.manifest import Platform
from hubmirror.cache.platforms import ALL, is_wanted, spelled


def test_spelling() -> None:
    """A variant is told where there is one."""
    assert spelled(Platform("linux", "amd64")) == "linux/amd64"
    assert spelled(Platform("linux", "arm", "v7")) == "linux/arm/v7"


@pytest.mark.parametrize(
    ("platform", "wanted", "is_it"),
    [
        (Platform("linux", "amd64"), ["linux/amd64"], True),
        (Platform("linux", "arm64", "v8"), ["linux/arm64"], True),
        (Platform("linux", "arm", "v7"), ["linux/arm/v7"], True),
        (Platform("linux", "arm", "v6"), ["linux/arm/v7"], False),
        (Platform("windows", "amd64"), ["linux/amd64"], False),
        (Platform("unknown", "unknown"), ["linux/amd64"], False),
        (Platform("unknown", "unknown"), [ALL], True),
        (None, ["linux/amd64"], False),
        (None, [ALL], True),
    ],
)
def test_wanting(platform: Platform | None, wanted: list[str], is_it: bool) -> None:
    """Without a variant all are meant."""
    assert is_wanted(platform, wanted) is is_it
