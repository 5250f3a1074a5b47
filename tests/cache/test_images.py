"""Which images are kept, which is the oldest, and what goes with it."""

from __future__ import annotations

from itertools import pairwise

from twisted.internet.defer import Deferred

from hubmirror.cache.images import Images, survey
from hubmirror.cache.manifest import MAX_MANIFEST
from hubmirror.naming import Digest, Repository
from tests.cache.kept import BUSYBOX, MANIFEST, Kept
from tests.cache.memory import MemoryBlobStore, digest_of
from tests.upstream.remote import result_of


def _images(kept: Kept) -> Images:
    return result_of(survey(kept.index, kept.blobs))


def _d(name: str) -> Digest:
    return digest_of(name.encode())


def test_the_oldest_first() -> None:
    """Images come in the order in which they were last asked for."""
    kept = Kept()
    late = result_of(kept.image("late", 3, b"a"))
    early = result_of(kept.image("early", 1, b"b"))
    middle = result_of(kept.image("middle", 2, b"c"))
    assert _images(kept).oldest_first() == [early, middle, late]


def test_an_index_is_one_image() -> None:
    """All platforms of an index are one image, asked for with any manifest of it."""
    kept = Kept()
    arm = result_of(kept.image("arm", 1, b"a"))
    amd = result_of(kept.image("amd", 9, b"b"))
    both = result_of(kept.index_of(2, arm, amd))
    other = result_of(kept.image("other", 5, b"c"))
    images = _images(kept)
    assert images.oldest_first() == [other, both]
    going = images.only_of(both)
    assert going[0] == both
    assert {*going} == {both, arm, amd, *map(_d, ("config of arm", "config of amd", "a", "b"))}
    assert going.index(arm) < going.index(_d("a"))


def test_layers_do_not_count() -> None:
    """A layer that another client still asks for does not make its manifest young, nor does an

    old layer make it old.
    """
    kept = Kept()
    old = result_of(kept.image("old", 1, b"a"))
    young = result_of(kept.image("young", 2, b"b"))
    result_of(kept.blob(b"a", 9))
    assert _images(kept).oldest_first() == [old, young]


def test_shared_layers_stay() -> None:
    """What two images share goes with the second of them."""
    kept = Kept()
    one = result_of(kept.image("one", 1, b"base", b"a"))
    two = result_of(kept.image("two", 2, b"base", b"b"))
    images = _images(kept)
    assert {*images.only_of(one)} == {one, _d("config of one"), _d("a")}
    images.remove(one)
    assert {*images.only_of(two)} == {two, _d("config of two"), _d("base"), _d("b")}


def test_a_manifest_of_two_indexes() -> None:
    """A tag that moved on shares a platform with what it was: that goes with the second."""
    kept = Kept()
    shared = result_of(kept.image("shared", 2, b"a"))
    old = result_of(kept.index_of(1, shared))
    new = result_of(kept.index_of(3, shared, result_of(kept.image("new", 3, b"b"))))
    images = _images(kept)
    assert images.only_of(old) == [old]
    images.remove(old)
    assert {shared, _d("a")} < {*images.only_of(new)}


def test_a_layer_twice() -> None:
    """A manifest that names a layer twice needs it once."""
    kept = Kept()
    image = result_of(kept.image("twice", 1, b"a", b"a"))
    assert _images(kept).only_of(image).count(_d("a")) == 1


def test_lone_blobs() -> None:
    """What no manifest refers to is an image by itself."""
    kept = Kept()
    result_of(kept.image("an image", 5, b"a"))
    lone = result_of(kept.blob(b"lone", 1))
    images = _images(kept)
    assert images.oldest_first()[0] == lone
    assert images.only_of(lone) == [lone]


def test_a_file_without_a_row() -> None:
    """What the index does not know is not evicted: it has no age."""
    kept = Kept()
    kept.blobs.put(_d("stray"), b"stray")
    assert _images(kept).oldest_first() == []


def test_a_manifest_that_only_an_index_knows() -> None:
    """A platform's manifest that has lost its link keeps its layers through its index."""
    kept = Kept()
    inner = result_of(kept.image("inner", 1, b"a"))
    outer = result_of(kept.index_of(1, inner))
    kept.index.drop_link(BUSYBOX, inner)
    images = _images(kept)
    assert images.oldest_first() == [outer]
    assert _d("a") in images.only_of(outer)


def test_many_ways_to_one_manifest() -> None:
    """Indexes that each name the next one twice are walked once, not in all 2**64 ways."""
    images = Images()
    chain = [_d(str(number)) for number in range(65)]
    for number, (digest, child) in enumerate(pairwise(chain)):
        images.add(digest, number, (child, child))
    assert images.oldest_first() == [chain[0]]
    assert images.only_of(chain[0]) == chain
    images.pin([chain[0]])
    assert images.oldest_first() == []


class _Small(MemoryBlobStore):
    """A store that is not to be asked for all the bytes of a large blob."""

    def read(self, digest: Digest) -> Deferred[bytes | None]:
        assert len(self.content[digest]) <= MAX_MANIFEST
        return super().read(digest)


def test_what_is_no_manifest() -> None:
    """What can't be read, or is too large to be read, needs nothing and breaks nothing."""
    kept = Kept(blobs=_Small())
    odd = result_of(kept.blob(b"no JSON", 1, MANIFEST))
    large = result_of(kept.blob(bytes(MAX_MANIFEST + 1), 2, MANIFEST))
    assert _images(kept).oldest_first() == [odd, large]


def _pinned(reference: str) -> Images:
    """An index ``old`` (tag) of ``inner``, and a lone image; ``reference`` is pinned."""
    kept = Kept()
    inner = result_of(kept.image("inner", 1, b"a"))
    result_of(kept.index_of(1, inner, tag="old"))
    result_of(kept.image("other", 2, b"b"))
    kept.index.pin(BUSYBOX, reference.format(inner=inner), True)
    return _images(kept)


def test_a_pinned_tag() -> None:
    """It keeps its index and all below."""
    [other] = _pinned("old").oldest_first()
    assert _d("b") in _pinned("old").only_of(other)


def test_a_pinned_digest() -> None:
    """It keeps what it is and what it needs; the index above it may go, alone."""
    images = _pinned("{inner}")
    index, _other = images.oldest_first()
    assert images.only_of(index) == [index]


def test_a_pinned_repository() -> None:
    """A star keeps all that the repository gave, and another's pin keeps nothing of it."""
    assert _pinned("*").oldest_first() == []
    assert len(_pinned("other-tag").oldest_first()) == 2


def test_pins_of_other_repositories() -> None:
    """A pin is of one repository; what it shares with another stays there, too."""
    kept = Kept()
    theirs = result_of(kept.image("theirs", 1, b"base"))
    kept.repository = Repository("docker.io", "a/b")
    result_of(kept.image("ours", 2, b"base"))
    kept.index.pin(kept.repository, "*", True)
    images = _images(kept)
    assert images.oldest_first() == [theirs]
    assert _d("base") not in images.only_of(theirs)
