"""What every ``IPartialStore`` must do.

A test class inherits this and has a fixture ``restart``: it opens the stores of blobs and of
partials, empty the first time, and after that with what their predecessors left.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, gatherResults
from zope.interface.verify import verifyObject

from hubmirror.cache.interfaces import IBlobStore, IPartial, IPartialStore
from hubmirror.naming import Digest
from tests.cache.contract_blobs import digest_of

__all__ = ["DATA", "DIGEST", "PartialStoreContract", "Restart", "opened"]

Restart = Callable[[], Deferred[tuple[IBlobStore, IPartialStore]]]

DATA = bytes(range(256)) * 5000
SIZE = len(DATA)
DIGEST = digest_of(DATA)
ETAG = '"one"'


def opened(
    partials: IPartialStore, digest: Digest = DIGEST, size: int = SIZE, validator: str | None = ETAG
) -> Deferred[IPartial]:
    """The partial of ``DATA``."""
    return partials.open(digest, size, validator)


def fill(partial: IPartial) -> None:
    """Write all of ``DATA``."""
    for start in range(0, SIZE, 100_000):
        partial.write(start, DATA[start : start + 100_000])


class PartialStoreContract:
    """The contract."""

    @ensureDeferred
    async def test_they_are_what_they_should_be(self, restart: Restart) -> None:
        """They have all methods, with their arguments."""
        _, partials = await restart()
        assert verifyObject(IPartialStore, partials)
        partial = await opened(partials)
        assert verifyObject(IPartial, partial)
        assert (partial.digest, partial.size, partial.validator) == (DIGEST, SIZE, ETAG)
        partial.discard()

    @ensureDeferred
    async def test_a_new_one_is_empty(self, restart: Restart) -> None:
        """All is missing."""
        _, partials = await restart()
        partial = await opened(partials)
        assert partial.missing(0, SIZE) == [(0, SIZE)]
        assert partial.available(0) == 0
        assert await partial.digest_of_prefix() == 0
        partial.discard()

    @ensureDeferred
    async def test_what_is_written_can_be_read_at_once(self, restart: Restart) -> None:
        """In any order, by its file."""
        _, partials = await restart()
        partial = await opened(partials)
        partial.write(500, DATA[500:700])
        partial.write(0, DATA[:100])
        assert partial.missing(0, 1000) == [(100, 500), (700, 1000)]
        assert partial.available(550) == 150
        assert os.pread(partial.fileno(), 200, 500) == DATA[500:700]
        partial.discard()

    @ensureDeferred
    async def test_bytes_that_are_there_stay(self, restart: Restart) -> None:
        """They may have been hashed: who sends others for them changes nothing."""
        blobs, partials = await restart()
        partial = await opened(partials)
        partial.write(100, DATA[100:SIZE])
        await partial.digest_of_prefix()
        partial.write(0, DATA[:100] + b"!" * 200)
        await partial.digest_of_prefix()
        partial.write(0, b"!" * SIZE)
        assert await partial.commit()
        partial.close()
        assert await blobs.read(DIGEST) == DATA

    @pytest.mark.parametrize(("offset", "length"), [(-1, 2), (SIZE - 1, 2), (SIZE + 1, 0)])
    @ensureDeferred
    async def test_bytes_outside_are_refused(
        self, restart: Restart, offset: int, length: int
    ) -> None:
        """``ValueError``, and nothing is written."""
        _, partials = await restart()
        partial = await opened(partials)
        with pytest.raises(ValueError, match="not within"):
            partial.write(offset, b"!" * length)
        assert partial.missing(0, SIZE) == [(0, SIZE)]
        partial.discard()

    @ensureDeferred
    async def test_hashing_follows_the_front(self, restart: Restart) -> None:
        """As far as there is no gap, and on from there."""
        _, partials = await restart()
        partial = await opened(partials)
        partial.write(0, DATA[:100])
        partial.write(200, DATA[200:300])
        assert await partial.digest_of_prefix() == 100
        partial.write(100, DATA[100:200])
        assert await partial.digest_of_prefix() == 300
        partial.discard()

    @ensureDeferred
    async def test_a_right_one_becomes_a_blob(self, restart: Restart) -> None:
        """Nothing else is left of it; its file can be read until it is closed."""
        blobs, partials = await restart()
        partial = await opened(partials)
        fill(partial)
        assert await partial.commit()
        assert os.pread(partial.fileno(), SIZE, 0) == DATA
        assert await blobs.read(DIGEST) == DATA
        partial.close()
        again = await opened(partials)
        assert again.missing(0, SIZE) == [(0, SIZE)]
        again.discard()

    @pytest.mark.parametrize("data", [b"", b"x" * 10], ids=["empty", "sha512"])
    @ensureDeferred
    async def test_other_blobs(self, restart: Restart, data: bytes) -> None:
        """One without a byte, and one of the other algorithm."""
        blobs, partials = await restart()
        digest = digest_of(data, "sha512")
        partial = await opened(partials, digest, len(data), None)
        partial.write(0, data)
        assert await partial.commit()
        partial.close()
        assert await blobs.read(digest) == data

    @ensureDeferred
    async def test_a_wrong_one_is_thrown_away(self, restart: Restart) -> None:
        """It is no blob, and the next fetch begins anew."""
        blobs, partials = await restart()
        partial = await opened(partials)
        partial.write(0, DATA[:-1] + b"!")
        assert not await partial.commit()
        partial.close()
        assert await blobs.read(DIGEST) is None
        _, partials = await restart()
        again = await opened(partials)
        assert again.missing(0, SIZE) == [(0, SIZE)]
        fill(again)
        assert await again.commit()
        again.close()

    @ensureDeferred
    async def test_one_with_gaps_is_not_committed(self, restart: Restart) -> None:
        """``ValueError``, and it goes on."""
        _, partials = await restart()
        partial = await opened(partials)
        partial.write(1, DATA[1:])
        with pytest.raises(ValueError, match="missing"):
            await partial.commit()
        partial.write(0, DATA[:1])
        assert await partial.commit()
        partial.close()

    @ensureDeferred
    async def test_what_was_saved_outlives_a_kill(self, restart: Restart) -> None:
        """And only that: what came later is fetched again. Hashing begins anew."""
        _, partials = await restart()
        partial = await opened(partials)
        partial.write(0, DATA[:1000])
        partial.write(2000, DATA[2000:3000])
        await partial.save()
        partial.write(1000, DATA[1000:2000])
        blobs, partials = await restart()
        again = await opened(partials)
        assert again.missing(0, SIZE) == [(1000, 2000), (3000, SIZE)]
        assert await again.digest_of_prefix() == 1000
        again.write(1000, DATA[1000:])
        assert await again.commit()
        again.close()
        assert await blobs.read(DIGEST) == DATA
        partial.discard()

    @ensureDeferred
    async def test_closing_keeps_the_pieces(self, restart: Restart) -> None:
        """Also those that were not saved, for who opens it next."""
        _, partials = await restart()
        partial = await opened(partials)
        partial.write(10, DATA[10:20])
        partial.close()
        partial.close()
        again = await opened(partials)
        assert again.missing(0, 30) == [(0, 10), (20, 30)]
        again.discard()

    @ensureDeferred
    async def test_the_gap_that_an_earlier_fetch_has_left(self, restart: Restart) -> None:
        """The first one from the start on, else the first of all; of what is nowhere, none."""
        _, partials = await restart()
        assert await partials.gap(DIGEST, 0) is None
        partial = await opened(partials)
        partial.write(0, DATA[:100])
        partial.write(200, DATA[200:])
        partial.close()
        assert [await partials.gap(DIGEST, start) for start in (0, 150)] == [(100, 200), (150, 200)]
        assert [await partials.gap(DIGEST, start) for start in (200, SIZE + 1)] == [(100, 200)] * 2
        partial = await opened(partials)
        partial.write(100, DATA[100:200])
        partial.close()
        assert await partials.gap(DIGEST, 0) is None

    @ensureDeferred
    async def test_discarding_throws_them_away(self, restart: Restart) -> None:
        """Saved or not."""
        _, partials = await restart()
        partial = await opened(partials)
        partial.write(0, DATA[:10])
        await partial.save()
        partial.discard()
        partial.close()
        again = await opened(partials)
        assert again.missing(0, SIZE) == [(0, SIZE)]
        again.discard()

    @pytest.mark.parametrize(
        ("size", "validator"), [(SIZE + 1, ETAG), (SIZE, '"other"'), (SIZE, None)]
    )
    @ensureDeferred
    async def test_pieces_of_another_content_are_thrown_away(
        self, restart: Restart, size: int, validator: str | None
    ) -> None:
        """Another length or ETag."""
        _, partials = await restart()
        partial = await opened(partials)
        partial.write(0, DATA[:10])
        partial.close()
        again = await opened(partials, DIGEST, size, validator)
        assert again.missing(0, size) == [(0, size)]
        again.discard()

    @ensureDeferred
    async def test_one_opener_at_a_time(self, restart: Restart) -> None:
        """For each digest."""
        _, partials = await restart()
        partial = await opened(partials)
        with pytest.raises(RuntimeError):
            await opened(partials)
        other = await opened(partials, digest_of(b""), 0)
        partial.discard()
        other.discard()
        (await opened(partials)).discard()

    @pytest.mark.parametrize("end", ["close", "discard"])
    @ensureDeferred
    async def test_after_the_end_nothing_is_written(self, restart: Restart, end: str) -> None:
        """``RuntimeError``: its file may be another's by now."""
        _, partials = await restart()
        partial = await opened(partials)
        getattr(partial, end)()
        with pytest.raises(RuntimeError):
            partial.write(0, b"!")

    @ensureDeferred
    async def test_much_at_once(self, restart: Restart) -> None:
        """Hashing, saving and the commit may all be asked for while the others are under way."""
        blobs, partials = await restart()
        partial = await opened(partials)
        under_way: list[Deferred[Any]] = []
        for start in range(0, SIZE, 50_000):
            partial.write(start, DATA[start : start + 50_000])
            under_way += [partial.digest_of_prefix(), partial.save()]
        committed = partial.commit()
        await gatherResults(under_way)
        assert await committed
        partial.close()
        assert await blobs.read(DIGEST) == DATA

    @pytest.mark.parametrize("name", ["digest_of_prefix", "save", "commit"])
    @ensureDeferred
    async def test_cancelling_ends_the_waiting_only(self, restart: Restart, name: str) -> None:
        """What has begun goes on, and the next one's turn comes."""
        blobs, partials = await restart()
        partial = await opened(partials)
        fill(partial)
        getattr(partial, name)().addErrback(lambda _: None).cancel()
        partial.close()
        again = await opened(partials)
        assert (again.missing(0, SIZE) == []) != (await blobs.read(DIGEST) == DATA)
        again.discard()
