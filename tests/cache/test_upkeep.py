"""Verifying, removing, pinning, making room."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from hubmirror.cache.image_names import ImageNames
from hubmirror.cache.interfaces import Link, TagEntry
from hubmirror.cache.inventory import NATURAL, NotKept
from hubmirror.cache.partials import PartialRow
from hubmirror.cache.reports import Pinned, Pruned, Removed, Rotten, Verified
from hubmirror.cache.upkeep import NotPinned, StillPinned, Upkeep
from hubmirror.demo.image import hello_image
from hubmirror.naming import Digest, Repository
from tests.cache.collecting import collect, keep_image, result_of
from tests.cache.kept import BUSYBOX
from tests.cache.memory import MemoryBlobStore, MemoryIndex
from tests.cache.memory_partials import MemoryPartials

IMAGE = hello_image()
NAMES = ImageNames("docker.io", library_prefix=True)
OTHER = Repository("docker.io", "team/other")
ALL = {
    *(one.digest for one in (IMAGE.index, *IMAGE.manifests)),
    *(blob.digest for blob in IMAGE.blobs),
}


@define
class Cache:
    """A cache that holds busybox:1, and its upkeep."""

    index: MemoryIndex = field(factory=MemoryIndex)
    blobs: MemoryBlobStore = field(factory=MemoryBlobStore)
    partials: MemoryPartials = field(init=False)
    upkeep: Upkeep = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.partials = MemoryPartials(self.blobs)
        self.upkeep = Upkeep(
            self.index, self.blobs, self.partials, make_room=_room, now=lambda: 10_000.0
        )
        self.keep(BUSYBOX, "1")

    def keep(self, repository: Repository, tag: str | None) -> None:
        """Keep the image there, too."""
        work = keep_image(self.index, self.blobs, IMAGE, repository, tag)
        result_of(Deferred.fromCoroutine(work))

    def links(self, repository: Repository) -> set[Digest]:
        """What the repository has."""
        return {link.digest for link in result_of(self.index.links(repository))}

    def tags(self, repository: Repository) -> set[str]:
        """The tags that the repository has."""
        return {entry.tag for entry in result_of(self.index.tags(repository))}


def _room() -> Awaitable[int]:
    return succeed(42)


@pytest.fixture
def cache() -> Cache:
    """One."""
    return Cache()


def test_verify_what_is_right(cache: Cache) -> None:
    """All is hashed, nothing is dropped."""
    *_, verified = collect(cache.upkeep.verify())

    assert isinstance(verified, Verified)
    assert (verified.blobs, verified.rotten) == (len(ALL), 0)
    assert set(cache.blobs.content) == ALL


@pytest.mark.parametrize("name", [None, "busybox", "busybox:1"])
def test_verify_what_has_rotted(cache: Cache, name: str | None) -> None:
    """It is told, and is gone with its link, however it was asked for."""
    rotten = IMAGE.blobs[1].digest
    cache.blobs.content[rotten] = b"rotten"

    reports = collect(cache.upkeep.verify(None if name is None else NAMES.parse(name)))

    size = 6 if name is None else IMAGE.blobs[1].size
    assert Rotten(str(rotten), size, ("docker.io/library/busybox",)) in reports
    assert isinstance(reports[-1], Verified)
    assert reports[-1].rotten == 1
    assert rotten not in cache.blobs.content
    assert cache.links(BUSYBOX) == ALL - {rotten}


def test_verify_nothing(cache: Cache) -> None:
    """Of a repository that is not here nothing can be verified."""
    with pytest.raises(NotKept):
        collect(cache.upkeep.verify(NAMES.parse("team/other")))


@pytest.mark.parametrize("name", ["busybox", "busybox:1", f"busybox@{IMAGE.index.digest}"])
def test_rm(cache: Cache, name: str) -> None:
    """By repository, tag or digest: tag, links, rows and blobs are gone."""
    (removed,) = collect(cache.upkeep.rm(NAMES.parse(name)))

    assert isinstance(removed, Removed)
    assert (removed.tags, removed.blobs) == (("1",), len(ALL))
    assert cache.blobs.content == {}
    assert cache.links(BUSYBOX) == set()
    assert cache.tags(BUSYBOX) == set()
    assert result_of(cache.index.total()) == (0, 0)


def test_rm_leaves_other_repositories_alone(cache: Cache) -> None:
    """What another repository has stays, and is its own."""
    cache.keep(OTHER, "1")

    (removed,) = collect(cache.upkeep.rm(NAMES.parse("busybox")))

    assert isinstance(removed, Removed)
    assert removed.blobs == 0
    assert set(cache.blobs.content) == cache.links(OTHER) == ALL
    assert cache.links(BUSYBOX) == set()
    assert cache.tags(OTHER) == {"1"}


def test_rm_leaves_other_tags_alone(cache: Cache) -> None:
    """Of two tags of one image one goes, and nothing else."""
    cache.keep(BUSYBOX, "2")

    collect(cache.upkeep.rm(NAMES.parse("busybox:1")))

    assert cache.tags(BUSYBOX) == {"2"}
    assert set(cache.blobs.content) == cache.links(BUSYBOX) == ALL


def test_rm_leaves_what_another_tag_needs(cache: Cache) -> None:
    """A tag of one platform's manifest keeps that, when the index goes."""
    amd64 = IMAGE.manifests[0]
    cache.index.put_tag(TagEntry(BUSYBOX, "amd64", NATURAL, amd64.digest, amd64.media_type, 1000.0))

    collect(cache.upkeep.rm(NAMES.parse("busybox:1")))

    named = (amd64.document["config"], *amd64.document["layers"])
    left = {str(amd64.digest), *(each["digest"] for each in named)}
    assert {str(digest) for digest in cache.blobs.content} == left
    assert {str(digest) for digest in cache.links(BUSYBOX)} == left


def test_rm_what_is_not_here(cache: Cache) -> None:
    """It is told so, and nothing happens."""
    for name in ("busybox:2", "team/other", f"busybox@sha256:{'0' * 64}"):
        with pytest.raises(NotKept):
            collect(cache.upkeep.rm(NAMES.parse(name)))
    assert set(cache.blobs.content) == ALL


@pytest.mark.parametrize("pinned", ["1", "*"])
def test_rm_what_is_pinned(cache: Cache, pinned: str) -> None:
    """It must be unpinned before."""
    cache.index.pin(BUSYBOX, pinned, True)

    for name in ("busybox", "busybox:1", f"busybox@{IMAGE.index.digest}"):
        with pytest.raises(StillPinned):
            collect(cache.upkeep.rm(NAMES.parse(name)))
    assert set(cache.blobs.content) == ALL


def test_rm_leaves_a_pinned_digest(cache: Cache) -> None:
    """The tag goes, what is pinned by its digest stays with all that it needs."""
    cache.index.pin(BUSYBOX, str(IMAGE.index.digest), True)

    collect(cache.upkeep.rm(NAMES.parse("busybox:1")))

    assert cache.tags(BUSYBOX) == set()
    assert set(cache.blobs.content) == ALL


def test_rm_of_a_link_without_its_blob(cache: Cache) -> None:
    """A link to what is not kept goes as well, and counts for nothing."""
    cache.index.put_link(Link(BUSYBOX, Digest("sha256", "0" * 64), None))

    (removed,) = collect(cache.upkeep.rm(NAMES.parse("busybox")))

    assert isinstance(removed, Removed)
    assert removed.blobs == len(ALL)
    assert cache.links(BUSYBOX) == set()


def test_pin_and_unpin(cache: Cache) -> None:
    """Tags, digests and whole repositories, also such as are not here."""
    for name, reference in (("busybox:1", "1"), ("team/other", "*")):
        image = NAMES.parse(name)
        assert collect(cache.upkeep.pin(image)) == [Pinned(str(image), True)]
        assert (image.repository, reference) in result_of(cache.index.pins())
        assert collect(cache.upkeep.pin(image, is_pinned=False)) == [Pinned(str(image), False)]
    assert result_of(cache.index.pins()) == ()


def test_unpin_what_is_not_pinned(cache: Cache) -> None:
    """A tag of a pinned repository is not pinned itself."""
    cache.index.pin(BUSYBOX, "*", True)

    with pytest.raises(NotPinned):
        collect(cache.upkeep.pin(NAMES.parse("busybox:1"), is_pinned=False))


def test_prune(cache: Cache) -> None:
    """Old partials go, young ones stay; the rest is the evictor's."""
    old = PartialRow(Digest("sha256", "1" * 64), 100, 10_000.0 - 3601)
    young = PartialRow(Digest("sha256", "2" * 64), 10, 10_000.0 - 3599)
    cache.partials.rows = [old, young]

    assert collect(cache.upkeep.prune()) == [Pruned(evicted=42, partials=100)]
    assert cache.partials.rows == [young]
