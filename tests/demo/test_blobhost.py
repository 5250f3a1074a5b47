"""The blob host: signatures, ranges, refusals."""

from __future__ import annotations

import hashlib

import pytest
import pytest_twisted

from hubmirror.demo.hub import Hub, HubSettings
from hubmirror.demo.image import Image
from tests.demo.conftest import PULL, Client


@pytest_twisted.ensureDeferred
async def test_signed_url_leads_to_the_blob(client: Client, hub: Hub, image: Image) -> None:
    """The registry redirects to another origin, where the bytes are right and counted."""
    blob = image.blobs[1]
    location = await client.blob_location(blob.digest)
    assert location.startswith(hub.blob_url + "/")
    assert hub.blob_url != hub.registry_url
    answered = await client.ask(location)
    assert answered.status == 200
    assert hashlib.sha256(answered.content).hexdigest() == blob.digest.encoded
    assert answered.length == blob.size
    assert hub.blob_bytes_sent == blob.size


@pytest_twisted.ensureDeferred
async def test_authorization_is_refused(client: Client, hub: Hub, image: Image) -> None:
    """A token that follows a redirect is a 400."""
    location = await client.blob_location(image.blobs[1].digest)
    answered = await client.ask(location, Authorization=await client.bearer(PULL))
    assert answered.status == 400
    assert hub.blob_bytes_sent == 0


@pytest_twisted.ensureDeferred
async def test_wrong_signature_is_refused(client: Client, image: Image) -> None:
    """A changed path, expiry or method list is 403."""
    location = await client.blob_location(image.blobs[1].digest)
    other = location.replace(str(image.blobs[1].digest), str(image.blobs[0].digest))
    for url in (other, location.replace("expires=", "expires=9"), location.partition("?")[0]):
        assert (await client.ask(url)).status == 403


@pytest.mark.parametrize(
    ("asked", "start", "stop"), [("bytes=2-5", 2, 6), ("bytes=4-", 4, None), ("bytes=-3", -3, None)]
)
@pytest_twisted.ensureDeferred
async def test_single_ranges(
    client: Client, image: Image, asked: str, start: int, stop: int | None
) -> None:
    """A span of bytes is 206 with its place in the whole."""
    whole = image.blobs[1].source
    assert isinstance(whole, bytes)
    location = await client.blob_location(image.blobs[1].digest)
    answered = await client.ask(location, Range=asked)
    assert (answered.status, answered.content) == (206, whole[start:stop])
    first = start % len(whole)
    last = first + len(answered.content) - 1
    assert answered.field("Content-Range") == f"bytes {first}-{last}/{len(whole)}"


@pytest_twisted.ensureDeferred
async def test_range_beyond_the_end(client: Client, image: Image) -> None:
    """A span that holds nothing is 416 with the size."""
    blob = image.blobs[1]
    location = await client.blob_location(blob.digest)
    answered = await client.ask(location, Range=f"bytes={blob.size}-")
    assert (answered.status, answered.content) == (416, b"")
    assert answered.field("Content-Range") == f"bytes */{blob.size}"


@pytest_twisted.ensureDeferred
async def test_range_for_another_version_gets_the_whole(client: Client, image: Image) -> None:
    """``If-Range`` with another ETag ignores the range."""
    location = await client.blob_location(image.blobs[1].digest)
    etag = (await client.ask(location, "HEAD")).field("ETag") or ""
    assert (await client.ask(location, Range="bytes=0-0", If_Range=etag)).status == 206
    assert (await client.ask(location, Range="bytes=0-0", If_Range='"old"')).status == 200


class TestSignedForGet:
    """A Hub whose URLs are good for a GET only, and for no time at all."""

    @pytest.fixture
    def settings(self) -> HubSettings:
        return HubSettings(sign_for_get_only=True)

    @pytest_twisted.ensureDeferred
    async def test_head_is_refused(self, client: Client, image: Image) -> None:
        """A HEAD gets 403 where the GET is served."""
        location = await client.blob_location(image.blobs[1].digest)
        assert (await client.ask(location, "HEAD")).status == 403
        assert (await client.ask(location)).status == 200


class TestExpired:
    """A Hub whose URLs are too old as soon as they are made."""

    @pytest.fixture
    def settings(self) -> HubSettings:
        return HubSettings(url_lifetime=-1)

    @pytest_twisted.ensureDeferred
    async def test_expired_url_is_refused(self, client: Client, image: Image) -> None:
        """A URL is 403 after its time."""
        location = await client.blob_location(image.blobs[1].digest)
        assert (await client.ask(location)).status == 403
