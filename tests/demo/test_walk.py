"""The steps of the demo, which must notice each thing that a mirror can do wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_twisted

from hubmirror.demo.content import Blob
from hubmirror.demo.hub import Hub
from hubmirror.demo.walk import StepFailed, Walk, host_architecture
from tests.demo.conftest import NAME, Client


def walk(client: Client, url: str, said: list[str]) -> Walk:
    """A walk to ``url`` that keeps the names of its steps."""

    def say(step: str, _text: str) -> None:
        said.append(step)

    realm = client.hub.token_url
    return Walk(client.http, url, NAME, "latest", host_architecture(), realm, say)


@pytest_twisted.ensureDeferred
async def test_unchanged_realm_fails(client: Client, hub: Hub) -> None:
    """A challenge that leads past the mirror is the end, after the step before it."""
    said: list[str] = []
    with pytest.raises(StepFailed, match="the realm leads past the mirror"):
        await walk(client, hub.registry_url, said).documents()
    assert said == ["challenge"]


@pytest_twisted.ensureDeferred
async def test_redirect_fails(client: Client, hub: Hub) -> None:
    """A client that sees a redirect is led past the mirror: a 307 is the end.

    The Hub itself is the mirror here, with a realm of its own that answers with a good token.
    """
    said: list[str] = []
    token = await client.token(f"repository:{NAME}:pull")
    hub.faults.registry.realm = f"{hub.registry_url}/token"
    hub.faults.registry.answer_next(1, 200, (), json.dumps(token).encode(), "/token")
    pulling = walk(client, hub.registry_url, said)
    config, _layer = await pulling.documents()
    with pytest.raises(StepFailed, match="answered 307 instead of 200"):
        await pulling.blob("config", config)
    assert said == ["challenge", "realm", "token", "index", "manifest"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"short", "the layer has 5 bytes instead of 6"),
        (b"change", "the layer hashes to"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_wrong_bytes_fail(client: Client, hub: Hub, content: bytes, why: str) -> None:
    """A blob of another length or digest is the end."""
    hub.faults.registry.answer_next(1, 200, (), content, "/blobs/")
    right = Blob.of(b"origin")
    descriptor = {"digest": str(right.digest), "size": right.size}
    with pytest.raises(StepFailed, match=why):
        await walk(client, hub.registry_url, []).blob("layer", descriptor)


@pytest.mark.parametrize(
    ("status", "fields", "why"),
    [
        (200, (), "answered 200 instead of 401"),
        (401, (("WWW-Authenticate", 'Basic realm="x"'),), "no Bearer challenge"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_missing_challenge_fails(
    client: Client, hub: Hub, status: int, fields: Any, why: str
) -> None:
    """``/v2/`` must be refused, and say where a token is."""
    hub.faults.registry.answer_next(1, status, fields)
    with pytest.raises(StepFailed, match=why):
        await walk(client, hub.registry_url, []).documents()


@pytest_twisted.ensureDeferred
async def test_quota_is_told(client: Client, hub: Hub) -> None:
    """The count's four numbers make one line."""
    said: list[str] = []
    quota = {"limit": 10, "used": 3, "remaining": 7, "reset": "2030-01-01T00:00:00Z"}
    hub.faults.registry.answer_next(1, 200, (), json.dumps(quota).encode(), "/quota")
    await walk(client, hub.registry_url, said).quota()
    assert said == ["quota"]
