"""The registry's front: the challenge, rights, paths and errors."""

from __future__ import annotations

import json

import pytest
import pytest_twisted

from hubmirror.demo.content import Manifest
from hubmirror.demo.hub import Hub
from hubmirror.demo.image import OCI
from hubmirror.demo.store import MemoryStore
from tests.demo.conftest import NAME, PULL, Client

LATEST = f"/v2/{NAME}/manifests/latest"


@pytest_twisted.ensureDeferred
async def test_ping_is_challenged_without_a_scope(client: Client, hub: Hub) -> None:
    """``/v2/`` names the token server and nothing to pull."""
    answered = await client.ask("/v2/")
    assert answered.status == 401
    assert answered.field("WWW-Authenticate") == (
        f'Bearer realm="{hub.token_url}",service="registry.demo"'
    )
    assert answered.field("Docker-Distribution-Api-Version") == "registry/2.0"
    assert json.loads(answered.content)["errors"][0]["code"] == "UNAUTHORIZED"


@pytest_twisted.ensureDeferred
async def test_repository_is_challenged_with_its_scope(client: Client, hub: Hub) -> None:
    """A path beneath a repository asks for a token to pull from it."""
    challenge = (await client.ask(LATEST)).field("WWW-Authenticate")
    assert challenge == f'Bearer realm="{hub.token_url}",service="registry.demo",scope="{PULL}"'


@pytest_twisted.ensureDeferred
async def test_bad_token_is_called_invalid(client: Client) -> None:
    """A token that the Hub did not make gets ``error="invalid_token"``."""
    answered = await client.ask(LATEST, Authorization="Bearer a.b.c")
    assert answered.status == 401
    assert 'error="invalid_token"' in (answered.field("WWW-Authenticate") or "")


@pytest_twisted.ensureDeferred
async def test_token_for_another_repository_does_not_open(client: Client) -> None:
    """A good token opens what it names only."""
    authorization = await client.bearer("repository:team/other:pull")
    assert (await client.ask(LATEST, Authorization=authorization)).status == 401
    assert (await client.ask("/v2/", Authorization=authorization)).status == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/v2/{NAME}/manifests/none", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/{NAME}/blobs/sha256:{'0' * 64}", 404, "BLOB_UNKNOWN"),
        (f"/v2/{NAME}/blobs/sha256:0", 400, "DIGEST_INVALID"),
        ("/v2/UPPER/manifests/latest", 404, "NAME_INVALID"),
        (f"/v2/{NAME}/else", 404, "UNSUPPORTED"),
        ("/v1/users", 404, "UNSUPPORTED"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_errors_have_the_specs_codes(
    client: Client, path: str, status: int, code: str
) -> None:
    """What is not there, or not in the grammar, is an error in JSON."""
    answered = await client.ask(path, Authorization=await client.bearer(PULL))
    assert answered.status == status
    assert json.loads(answered.content)["errors"][0]["code"] == code


@pytest_twisted.ensureDeferred
async def test_writes_are_refused(client: Client) -> None:
    """The Hub of the demo takes no pushes."""
    answered = await client.ask(LATEST, "PUT", Authorization=await client.bearer(PULL))
    assert answered.status == 405


@pytest_twisted.ensureDeferred
async def test_name_may_hold_the_api_words(client: Client, store: MemoryStore) -> None:
    """Paths are parsed from the right."""
    store.add_manifest("a/manifests/b", Manifest(OCI.manifest, b"{}"), "x")
    authorization = await client.bearer("repository:a/manifests/b:pull")
    answered = await client.ask("/v2/a/manifests/b/manifests/x", Authorization=authorization)
    assert answered.content == b"{}"


@pytest_twisted.ensureDeferred
async def test_private_repository_opens_to_its_owner_only(client: Client) -> None:
    """Anybody gets a token, and 401 with it; alice's token opens."""
    path, scope = "/v2/team/secret/manifests/1", "repository:team/secret:pull"
    assert (await client.ask(path, Authorization=await client.bearer(scope))).status == 401
    alice = await client.bearer(scope, user="alice:wonderland")
    answered = await client.ask(path, Authorization=alice)
    assert answered.status == 200
    assert answered.field("docker-ratelimit-source") == "alice"


@pytest_twisted.ensureDeferred
async def test_missing_repository_looks_private(client: Client) -> None:
    """A name that does not exist is 401 with any token, as at Docker Hub."""
    authorization = await client.bearer("repository:library/none:pull")
    answered = await client.ask("/v2/library/none/tags/list", Authorization=authorization)
    assert answered.status == 401
