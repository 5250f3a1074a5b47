"""Images as trees."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from hubmirror.cache.trees import Tree, Trees, flat
from hubmirror.demo.image import hello_image
from hubmirror.naming import Digest
from tests.cache.collecting import keep_image, result_of
from tests.cache.kept import BUSYBOX
from tests.cache.memory import MemoryBlobStore, MemoryIndex

IMAGE = hello_image()


def read(architectures: int, *gone: Digest) -> Tree:
    """The tree of the kept image, of which ``gone`` has got lost."""
    index, blobs = MemoryIndex(), MemoryBlobStore()

    async def work() -> Tree:
        await keep_image(index, blobs, IMAGE, BUSYBOX, None, architectures=architectures)
        for digest in gone:
            await blobs.remove(digest)
        return await Trees(index, blobs).read(IMAGE.index.digest, IMAGE.index.media_type)

    return result_of(Deferred.fromCoroutine(work()))


def test_whole() -> None:
    """All is there, and each is in it once."""
    tree = read(2)

    assert tree.is_whole
    expected = {one.digest for one in (IMAGE.index, *IMAGE.manifests)}
    assert set(flat([tree, tree])) == expected | {blob.digest for blob in IMAGE.blobs}


def test_one_platform() -> None:
    """An index of which one platform is missing is not whole; the other's manifest is."""
    tree = read(1)

    assert not tree.is_whole
    assert [child.is_whole for child in tree.children] == [True, False]
    assert [child.row is None for child in tree.children] == [False, True]


def test_row_without_blob() -> None:
    """What can't be read is not here, whatever the index tells."""
    tree = read(2, IMAGE.manifests[0].digest)

    assert [child.is_whole for child in tree.children] == [False, True]
