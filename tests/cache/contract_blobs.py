"""What every ``IBlobStore`` must do: a test class inherits this and has a fixture ``blobs``."""

from __future__ import annotations

import hashlib
import os

import pytest
from pytest_twisted import ensureDeferred
from zope.interface.verify import verifyObject

from hubmirror.cache.interfaces import IBlobStore
from hubmirror.naming import Digest

__all__ = ["BlobStoreContract", "digest_of"]

DATA = b"some bytes\n" * 1000


def digest_of(data: bytes, algorithm: str = "sha256") -> Digest:
    """The digest of ``data``."""
    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())


class BlobStoreContract:
    """The contract, for an empty store."""

    def test_it_is_a_blob_store(self, blobs: IBlobStore) -> None:
        """It has all methods, with their arguments."""
        assert verifyObject(IBlobStore, blobs)

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    @pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["empty", "small", "larger"])
    @ensureDeferred
    async def test_what_is_put_is_there(
        self, blobs: IBlobStore, data: bytes, algorithm: str
    ) -> None:
        """As bytes and as a file, and it verifies."""
        digest = digest_of(data, algorithm)
        await blobs.put(digest, data)
        assert await blobs.read(digest) == data
        opened = await blobs.open(digest)
        assert opened is not None
        assert os.pread(opened.fd, len(data) + 1, opened.start) == data
        assert opened.length == len(data)
        opened.close()
        assert await blobs.verify(digest)

    @ensureDeferred
    async def test_what_was_not_put_is_not_there(self, blobs: IBlobStore) -> None:
        """None for it, and it doesn't verify; another algorithm's name is another blob's."""
        await blobs.put(digest_of(DATA), DATA)
        digest = digest_of(DATA, "sha512")
        assert await blobs.open(digest) is None
        assert await blobs.read(digest) is None
        assert not await blobs.verify(digest)

    @ensureDeferred
    async def test_put_twice_is_put(self, blobs: IBlobStore) -> None:
        """One blob, and who has the first one open reads on."""
        digest = digest_of(DATA)
        await blobs.put(digest, DATA)
        opened = await blobs.open(digest)
        assert opened is not None
        await blobs.put(digest, DATA)
        assert os.pread(opened.fd, len(DATA), 0) == DATA
        opened.close()
        assert [row async for row in blobs.all()] == [(digest, len(DATA))]

    @ensureDeferred
    async def test_what_is_removed_is_gone(self, blobs: IBlobStore) -> None:
        """But not for who has it open; a second removal is no error."""
        digest = digest_of(DATA)
        await blobs.put(digest, DATA)
        opened = await blobs.open(digest)
        assert opened is not None
        await blobs.remove(digest)
        await blobs.remove(digest)
        assert await blobs.read(digest) is None
        assert os.pread(opened.fd, len(DATA), 0) == DATA
        opened.close()

    @ensureDeferred
    async def test_all_are_told(self, blobs: IBlobStore) -> None:
        """Each once, with its size."""
        contents = [b"%d" % number * number for number in range(5)]
        expected = {
            (digest_of(data, algorithm), len(data))
            for data in contents
            for algorithm in ("sha256", "sha512")
        }
        for data in contents:
            for algorithm in ("sha256", "sha512"):
                await blobs.put(digest_of(data, algorithm), data)
        rows = [row async for row in blobs.all()]
        assert len(rows) == len(expected)
        assert set(rows) == expected

    @ensureDeferred
    async def test_wrong_bytes_do_not_verify(self, blobs: IBlobStore) -> None:
        """The store trusts who puts; ``verify`` does not."""
        await blobs.put(digest_of(DATA), DATA[:-1] + b"!")
        assert not await blobs.verify(digest_of(DATA))
