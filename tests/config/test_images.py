"""Tests of the parsers of images and platforms."""

from __future__ import annotations

import pytest

from hubmirror.config.images import images, platforms

_DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "image",
    [
        "busybox",
        "library/alpine:3.19",
        f"busybox@{_DIGEST}",
        f"ghcr.io/owner/name:1@{_DIGEST}",
        "localhost/a",
        "registry.example:5000/a/b/c",
    ],
)
def test_images(image: str) -> None:
    """What docker pull takes, with and without a host, a tag, a digest."""
    assert images(image) == images([image]) == (image,)


@pytest.mark.parametrize(
    "image",
    [
        "Busybox",
        "https://docker.io/library/busybox",
        "busybox:",
        "busybox@sha256:0",
        "busybox@",
        "docker.io/",
        "a b",
        "ho$t.example/a",
        "a/../b",
    ],
)
def test_what_is_no_image(image: str) -> None:
    """Other text is refused, and said which."""
    with pytest.raises(ValueError, match=r"not the name of an image|no host"):
        images(["busybox", image])


def test_platforms() -> None:
    """Two or three components; a list, or a text with commas."""
    assert platforms("linux/amd64, linux/arm64/v8") == ("linux/amd64", "linux/arm64/v8")
    assert platforms([]) == ()


@pytest.mark.parametrize("platform", ["amd64", "linux/", "linux/arm/v6/x", "Linux/amd64"])
def test_what_is_no_platform(platform: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="not a platform"):
        platforms(platform)
