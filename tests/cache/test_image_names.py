"""Names of images, as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.cache.image_names import ImageName, ImageNameInvalid, ImageNames
from hubmirror.naming import Digest, Repository, Tag

HUB = ImageNames("docker.io", library_prefix=True)
DIGEST = Digest("sha256", "ab" * 32)
BUSYBOX = Repository("docker.io", "library/busybox")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("busybox", ImageName(BUSYBOX)),
        ("busybox:1.36", ImageName(BUSYBOX, Tag("1.36"))),
        ("library/busybox:1.36", ImageName(BUSYBOX, Tag("1.36"))),
        ("docker.io/busybox", ImageName(BUSYBOX)),
        ("index.docker.io/library/busybox", ImageName(BUSYBOX)),
        (f"busybox@{DIGEST}", ImageName(BUSYBOX, DIGEST)),
        (f"busybox:1.36@{DIGEST}", ImageName(BUSYBOX, DIGEST)),
        ("team/app", ImageName(Repository("docker.io", "team/app"))),
        ("ghcr.io/app:1", ImageName(Repository("ghcr.io", "app"), Tag("1"))),
        ("localhost/app", ImageName(Repository("localhost", "app"))),
        ("host:5000/a/b", ImageName(Repository("host:5000", "a/b"))),
        ("[::1]:5000/a", ImageName(Repository("[::1]:5000", "a"))),
    ],
)
def test_names(text: str, name: ImageName) -> None:
    """As docker reads them."""
    assert HUB.parse(text) == name


@pytest.mark.parametrize(
    "text", ["", ":1", "a b", "Busybox", "a:", "a@sha256:1", "a//b", "http://a"]
)
def test_no_names(text: str) -> None:
    """What is no name is told so."""
    with pytest.raises(ImageNameInvalid):
        HUB.parse(text)


def test_another_upstream_has_its_own_names() -> None:
    """Without the prefix one component is a whole name; Docker Hub's keep theirs."""
    names = ImageNames("registry.test:5000", library_prefix=False)

    assert names.parse("app").repository == Repository("registry.test:5000", "app")
    assert names.parse("docker.io/busybox").repository == BUSYBOX


def test_latest_where_none_is_named() -> None:
    """As docker has it; what is named stays."""
    assert str(HUB.parse("busybox").or_latest()) == "docker.io/library/busybox:latest"
    assert str(HUB.parse("busybox:1").or_latest()) == "docker.io/library/busybox:1"


@given(st.text(max_size=80))
def test_written_and_read_again(text: str) -> None:
    """Any text is refused, or a name that reads the same when it is written."""
    try:
        name = HUB.parse(text)
    except ImageNameInvalid:
        return
    assert HUB.parse(str(name)) == name
