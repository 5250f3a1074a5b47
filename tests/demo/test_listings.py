"""Tags, referrers and the catalog."""

from __future__ import annotations

import json

import pytest_twisted

from hubmirror.demo.content import Manifest
from hubmirror.demo.image import OCI, Image
from hubmirror.demo.store import MemoryStore
from tests.demo.conftest import NAME, PULL, Client


@pytest_twisted.ensureDeferred
async def test_tags_come_in_pages_with_links(client: Client, store: MemoryStore) -> None:
    """``n`` and ``last`` cut the list; ``Link`` leads to the rest and ends."""
    store.add_manifest(NAME, Manifest(OCI.manifest, b"{}"), "v1")
    authorization = await client.bearer(PULL)
    first = await client.ask(f"/v2/{NAME}/tags/list?n=2", Authorization=authorization)
    assert json.loads(first.content) == {"name": NAME, "tags": ["docker", "latest"]}
    assert first.field("Link") == f'</v2/{NAME}/tags/list?last=latest&n=2>; rel="next"'
    path = f"/v2/{NAME}/tags/list?last=latest&n=2"
    last = await client.ask(path, Authorization=authorization)
    assert json.loads(last.content)["tags"] == ["v1"]
    assert last.field("Link") is None
    none = await client.ask(f"/v2/{NAME}/tags/list?n=0", Authorization=authorization)
    assert json.loads(none.content)["tags"] == []


@pytest_twisted.ensureDeferred
async def test_referrers_are_filtered(client: Client, store: MemoryStore, image: Image) -> None:
    """Manifests with that subject are listed; a filter by type says that it was applied."""
    for kind in ("text/a", "text/b"):
        subject = image.index.descriptor()
        document = {"mediaType": OCI.manifest, "artifactType": kind, "subject": subject}
        store.add_manifest(NAME, Manifest(OCI.manifest, json.dumps(document).encode()))
    authorization = await client.bearer(PULL)
    path = f"/v2/{NAME}/referrers/{image.index.digest}"
    both = json.loads((await client.ask(path, Authorization=authorization)).content)
    assert {entry["artifactType"] for entry in both["manifests"]} == {"text/a", "text/b"}
    one = await client.ask(path + "?artifactType=text/b", Authorization=authorization)
    assert [e["artifactType"] for e in json.loads(one.content)["manifests"]] == ["text/b"]
    assert one.field("OCI-Filters-Applied") == "artifactType"


@pytest_twisted.ensureDeferred
async def test_catalog_is_for_users(client: Client) -> None:
    """Anybody's token does not open the catalog, alice's does."""
    scope = "registry:catalog:*"
    anybody = await client.bearer(scope)
    assert (await client.ask("/v2/_catalog", Authorization=anybody)).status == 401
    alice = await client.bearer(scope, user="alice:wonderland")
    answered = await client.ask("/v2/_catalog", Authorization=alice)
    assert json.loads(answered.content) == {"repositories": [NAME, "team/secret"]}
