"""What is kept, as people ask for it."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from hubmirror.cache.image_names import ImageNames
from hubmirror.cache.interfaces import Publicity, TagEntry
from hubmirror.cache.inventory import Inventory, NotKept
from hubmirror.cache.reports import KeptImage, ShownImage
from hubmirror.demo.image import hello_image
from hubmirror.naming import Repository
from tests.cache.collecting import collect, keep_image, result_of
from tests.cache.kept import BUSYBOX
from tests.cache.memory import MemoryBlobStore, MemoryIndex

IMAGE = hello_image()
NAMES = ImageNames("docker.io", library_prefix=True)
OTHER = Repository("docker.io", "team/other")


@pytest.fixture
def index() -> MemoryIndex:
    """Empty."""
    return MemoryIndex()


@pytest.fixture
def inventory(index: MemoryIndex) -> Inventory:
    """Of busybox:1 with both platforms."""
    blobs = MemoryBlobStore()
    result_of(Deferred.fromCoroutine(keep_image(index, blobs, IMAGE, BUSYBOX, "1")))
    return Inventory(index, blobs)


def everything() -> int:
    """The bytes of the whole image."""
    documents = sum(len(one.content) for one in (IMAGE.index, *IMAGE.manifests))
    return documents + sum(blob.size for blob in IMAGE.blobs)


def test_ls(inventory: Inventory, index: MemoryIndex) -> None:
    """A tag with what belongs to it; of the manifests that it leads to nothing else."""
    index.put_publicity(BUSYBOX, Publicity(True, 1.0))
    index.pin(BUSYBOX, "1", True)

    assert collect(inventory.ls()) == [
        KeptImage(
            repository="docker.io/library/busybox",
            tag="1",
            digest=str(IMAGE.index.digest),
            media_type=IMAGE.index.media_type,
            size=everything(),
            accessed=1000.0,
            is_pinned=True,
            is_public=True,
        )
    ]


def test_ls_of_what_has_no_tag(inventory: Inventory, index: MemoryIndex) -> None:
    """A manifest by digest is listed once, its parts not at all."""
    index.drop_tag(BUSYBOX, "1")

    (image,) = collect(inventory.ls([NAMES.parse("busybox")]))

    assert isinstance(image, KeptImage)
    assert (image.tag, image.digest) == (None, str(IMAGE.index.digest))
    assert (image.is_pinned, image.is_public) == (False, None)


def test_ls_of_another_repository(inventory: Inventory) -> None:
    """Only what was named is listed."""
    assert collect(inventory.ls([NAMES.parse("team/other")])) == []


def test_show(inventory: Inventory) -> None:
    """Platforms, and the blobs of each."""
    (shown,) = collect(inventory.show(NAMES.parse("busybox:1")))

    assert isinstance(shown, ShownImage)
    assert [one.platform for one in shown.manifests] == ["linux/amd64", "linux/arm64"]
    assert all(one.is_here and all(blob.is_here for blob in one.blobs) for one in shown.manifests)
    assert shown.kept == everything()
    assert shown.as_json()["event"] == "shown"


def test_show_by_digest(inventory: Inventory) -> None:
    """One platform's manifest is an image, too."""
    (shown,) = collect(inventory.show(NAMES.parse(f"busybox@{IMAGE.manifests[0].digest}")))

    assert isinstance(shown, ShownImage)
    assert [one.digest for one in shown.manifests] == [str(IMAGE.manifests[0].digest)]


@pytest.mark.parametrize("name", ["busybox", "busybox:2", f"busybox@sha256:{'0' * 64}"])
def test_show_what_is_not_here(inventory: Inventory, name: str) -> None:
    """Without a tag it is ``latest`` that is meant; nothing of it is kept here."""
    with pytest.raises(NotKept, match="nothing is kept"):
        collect(inventory.show(NAMES.parse(name)))


def test_blobs_are_no_images(inventory: Inventory) -> None:
    """A layer's digest names no image."""
    with pytest.raises(NotKept):
        collect(inventory.show(NAMES.parse(f"busybox@{IMAGE.blobs[0].digest}")))


def test_the_natural_variant_counts(inventory: Inventory, index: MemoryIndex) -> None:
    """What an old client was given of a tag is not what the tag is."""
    old = IMAGE.manifests[0]
    index.put_tag(TagEntry(BUSYBOX, "1", "old", old.digest, old.media_type, 2000.0))

    (image,) = collect(inventory.ls())

    assert isinstance(image, KeptImage)
    assert image.digest == str(IMAGE.index.digest)
