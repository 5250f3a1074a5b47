"""Tests of the settings of the cache and of the mirror's own account."""

from __future__ import annotations

import pytest

from hubmirror.config import Share, load


def test_the_defaults() -> None:
    """What a mirror does that nobody has told anything."""
    config = load({}, {}, uid=0).config
    assert config.auth == "passthrough"
    assert (config.cache, config.prefetch) == (True, True)
    assert (config.max_size, config.min_free) == (Share(80), 2**30)
    assert (config.tag_ttl, config.stale_while_revalidate) == (300.0, 3600.0)
    assert (config.negative_ttl, config.public_ttl, config.right_ttl) == (30.0, 3600.0, 300.0)
    assert (config.patience, config.stale_for, config.when_deleted) == (3.0, None, "keep")
    assert (config.connections_per_blob, config.finish_below) == (4, 64 * 2**20)
    assert (config.warm_images, config.warm_platforms) == ((), ("linux/amd64",))
    assert config.warm_period == 3600.0


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("cache", "off", False),
        ("max_size", "50GiB", 50 * 2**30),
        ("stale_for", "30d", 30 * 86400.0),
        ("stale_for", "off", None),
        ("when_deleted", "drop", "drop"),
        ("tag_ttl", "0", 0.0),
        ("auth", "mirror", "mirror"),
        ("warm_images", "busybox,alpine:3", ("busybox", "alpine:3")),
    ],
)
def test_what_can_be_set(name: str, written: str, value: object) -> None:
    """By a flag, and so by a variable and in a file."""
    assert getattr(load({name: written}, {}, uid=0).config, name) == value
