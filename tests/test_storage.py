"""What the data folder keeps, over restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest_twisted

from hubmirror.cache.interfaces import BlobRow
from hubmirror.config import Share, load
from hubmirror.fetching.fetch import FetchLimits
from hubmirror.naming import Digest
from hubmirror.storage import Pools, Room, Storage

DIGEST = Digest("sha256", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")


async def opened(reactor: Any, folder: Path) -> Storage:
    storage = Storage(reactor, folder, lambda: 1.0, FetchLimits(), Pools(), Room(2**40, 0))
    await storage.open()
    return storage


@pytest_twisted.ensureDeferred
async def test_index_and_blobs_agree_after_each_start(reactor: Any, tmp_path: Path) -> None:
    """A blob without a row gets one: a crash came between the two."""
    storage = await opened(reactor, tmp_path)
    await storage.blobs.put(DIGEST, b"hello")
    assert await storage.index.blob(DIGEST) is None
    await storage.close()
    storage = await opened(reactor, tmp_path)
    row = await storage.index.blob(DIGEST)
    assert row is not None
    assert row.size == 5
    await storage.blobs.remove(DIGEST)
    await storage.close()
    storage = await opened(reactor, tmp_path)
    assert await storage.index.blob(DIGEST) is None
    await storage.close()


def test_a_share_is_one_of_what_is_free_and_kept() -> None:
    """80 % of the disk that the mirror may count on; bytes are bytes."""
    assert Room(Share(80), 0).size(free=600, kept=400) == 800
    assert Room(123, 0).size(free=600, kept=400) == 123


@pytest_twisted.ensureDeferred
async def test_other_bounds_hold_from_then_on(reactor: Any, tmp_path: Path) -> None:
    """What is too much by a smaller size goes when room is made."""
    storage = await opened(reactor, tmp_path)
    await storage.blobs.put(DIGEST, b"hello")
    await storage.index.put_blob(BlobRow(DIGEST, 5, 0.5))
    await storage.make_room()
    assert await storage.index.blob(DIGEST) is not None
    flags = {"max_size": "4", "min_free": "0", "data": str(tmp_path)}
    await storage.reload(load(flags, {}, folder=tmp_path).config)
    await storage.make_room()
    assert await storage.index.blob(DIGEST) is None
    await storage.close()
