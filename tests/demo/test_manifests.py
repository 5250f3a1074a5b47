"""Manifests: digests, conditions, what a client accepts, and the pull limit."""

from __future__ import annotations

import hashlib
import json

import pytest
import pytest_twisted

from hubmirror.demo.hub import HubSettings
from hubmirror.demo.image import DOCKER, OCI, Image
from tests.demo.conftest import NAME, PULL, Client

LATEST = f"/v2/{NAME}/manifests/latest"


@pytest_twisted.ensureDeferred
async def test_index_comes_with_its_digest_and_counts_as_a_pull(
    client: Client, image: Image
) -> None:
    """A GET carries the digest, the quoted ETag and the pull limit; a second one counts down."""
    authorization = await client.bearer(PULL)
    answered = await client.ask(LATEST, Authorization=authorization, Accept=OCI.index)
    assert answered.content == image.index.content
    assert answered.field("Content-Type") == OCI.index
    digest = "sha256:" + hashlib.sha256(answered.content).hexdigest()
    assert answered.field("Docker-Content-Digest") == digest
    assert answered.field("ETag") == f'"{digest}"'
    assert answered.field("ratelimit-limit") == "100;w=21600"
    assert answered.field("ratelimit-remaining") == "99;w=21600"
    assert answered.field("docker-ratelimit-source") == "127.0.0.1"
    again = await client.ask(LATEST, Authorization=authorization)
    assert again.field("ratelimit-remaining") == "98;w=21600"


@pytest_twisted.ensureDeferred
async def test_head_tells_the_same_and_is_free(client: Client, image: Image) -> None:
    """A HEAD has the GET's length and digest, no body, and counts no pull: it tells of them."""
    authorization = await client.bearer(PULL)
    answered = await client.ask(LATEST, "HEAD", Authorization=authorization)
    assert (answered.status, answered.content) == (200, b"")
    assert answered.field("Content-Length") == str(len(image.index.content))
    assert answered.field("Docker-Content-Digest") == str(image.index.digest)
    assert answered.field("ratelimit-remaining") == "100;w=21600"


@pytest_twisted.ensureDeferred
async def test_known_etag_is_not_sent_again(client: Client, image: Image) -> None:
    """``If-None-Match`` with the current digest is answered 304."""
    authorization = await client.bearer(PULL)
    etag = f'"{image.index.digest}"'
    answered = await client.ask(LATEST, Authorization=authorization, If_None_Match=etag)
    assert (answered.status, answered.content) == (304, b"")


@pytest_twisted.ensureDeferred
async def test_old_client_gets_amd64_out_of_a_manifest_list(client: Client) -> None:
    """A list by tag is answered by its linux/amd64 manifest where only that is accepted."""
    answered = await client.ask(
        f"/v2/{NAME}/manifests/docker",
        Authorization=await client.bearer(PULL),
        Accept=DOCKER.manifest,
    )
    assert answered.status == 200
    assert answered.field("Content-Type") == DOCKER.manifest


@pytest_twisted.ensureDeferred
async def test_oci_index_is_refused_to_who_does_not_accept_it(client: Client) -> None:
    """An OCI index is 404 to a client that lists other types only."""
    answered = await client.ask(
        LATEST, Authorization=await client.bearer(PULL), Accept=DOCKER.manifest
    )
    assert answered.status == 404
    assert b"OCI index found" in answered.content


class TestEnforcedLimit:
    """A Hub that refuses above its pull limit."""

    @pytest.fixture
    def settings(self) -> HubSettings:
        return HubSettings(pull_limit=1, is_pull_limit_enforced=True)

    @pytest_twisted.ensureDeferred
    async def test_spent_limit_is_429(self, client: Client) -> None:
        """The pull after the last is TOOMANYREQUESTS; a HEAD still goes."""
        authorization = await client.bearer(PULL)
        assert (await client.ask(LATEST, Authorization=authorization)).status == 200
        refused = await client.ask(LATEST, Authorization=authorization)
        assert refused.status == 429
        assert json.loads(refused.content)["errors"][0]["code"] == "TOOMANYREQUESTS"
        assert refused.field("ratelimit-remaining") == "0;w=21600"
        assert (await client.ask(LATEST, "HEAD", Authorization=authorization)).status == 200
