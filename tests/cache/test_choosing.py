"""Which image of an index is meant."""

from __future__ import annotations

from typing import Any, cast

import pytest

from hubmirror.cache.choosing import chosen, is_platform, offered, requires
from hubmirror.cache.manifest import Descriptor, Platform
from hubmirror.errors import BadRequest, ManifestUnknown
from hubmirror.naming import Digest

OCI = "application/vnd.oci.image.manifest.v1+json"


def entry(platform: str | None, number: int = 0, kind: str = OCI) -> Descriptor:
    """An entry of an index."""
    digest = Digest("sha256", f"{number:064x}")
    parts = platform.split("/") if platform is not None else []
    return Descriptor(kind, digest, 7, Platform(*parts) if parts else None)


INDEX = [
    entry("linux/amd64", 1),
    entry("linux/arm/v6", 2),
    entry("linux/arm/v7", 3),
    entry("linux/arm64", 4),
    entry("windows/amd64", 5),
    entry("windows/amd64", 6),
    entry("unknown/unknown", 7),
]


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("linux/amd64", 1),
        ("linux/arm/v7", 3),
        ("linux/arm64", 4),
        ("linux/arm64/v8", 4),
    ],
)
def test_the_one_that_fits(wanted: str, number: int) -> None:
    """``arm64`` is ``arm64/v8``."""
    assert chosen(INDEX, wanted) == INDEX[number - 1]


@pytest.mark.parametrize("wanted", [None, "linux/arm", "windows/amd64"])
def test_several_are_for_the_client_to_choose_from(wanted: str | None) -> None:
    """The error has them all, and no attestation."""
    with pytest.raises(BadRequest, match="linux/amd64, linux/arm/v6, linux/arm/v7") as error:
        chosen(INDEX, wanted)

    told = cast("dict[str, Any]", error.value.detail)["platforms"]
    assert "unknown/unknown" not in told
    assert len(told) == 5


@pytest.mark.parametrize("wanted", ["linux/s390x", "linux/arm64/v9", "unknown/unknown"])
def test_none_fits(wanted: str) -> None:
    """The error tells what there is."""
    with pytest.raises(ManifestUnknown, match=f"nothing for {wanted}; there is linux/amd64"):
        chosen(INDEX, wanted)


def test_the_only_one_need_not_be_named() -> None:
    """An attestation beside it is none; without a platform it counts where it is alone."""
    only = entry("linux/amd64", 1)
    assert chosen([only, entry("unknown/unknown", 2)], None) is only
    alone = entry(None, 3)
    assert chosen([alone], None) is alone
    with pytest.raises(ManifestUnknown):
        chosen([alone], "linux/amd64")


def test_what_is_no_image_is_not_offered() -> None:
    """Indexes within an index, artifacts, and platforms that nobody could spell."""
    assert not offered(
        [
            entry("linux/amd64", 1, "application/vnd.oci.image.index.v1+json"),
            entry("linux/\x1b[2J", 2),
            entry(f"linux/{'a' * 80}", 3),
            entry(None, 4),
        ]
    )
    with pytest.raises(ManifestUnknown, match=r"no image that runs$"):
        chosen([], None)


def test_an_image_without_an_index_is_for_its_platform() -> None:
    """Its config tells which that is, if it is any."""
    requires(Platform("linux", "amd64"), None)
    requires(Platform("linux", "amd64"), "linux/amd64")
    with pytest.raises(ManifestUnknown, match="not for linux/arm64; there is linux/amd64"):
        requires(Platform("linux", "amd64"), "linux/arm64")
    with pytest.raises(ManifestUnknown, match=r"not for linux/arm64$"):
        requires(None, "linux/arm64")


@pytest.mark.parametrize("text", ["linux/amd64", "linux/arm/v7", "linux/ppc64le", "wasip1/wasm"])
def test_spelled_platforms(text: str) -> None:
    """As people write them."""
    assert is_platform(text)


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "a/b/c/d", "Linux/AMD64", "a/b\n", "x" * 99]
)
def test_other_texts(text: str) -> None:
    """Are none."""
    assert not is_platform(text)
