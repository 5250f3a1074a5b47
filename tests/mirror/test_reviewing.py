"""Rules about types and platforms: asked once an answer tells them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hubmirror.cache.manifest import INDEX_TYPES
from tests.access.mirrors import mirror_of
from tests.mirror.hub import ACCEPT, INDEX, MANIFEST, Hub, digest_of

NAME = "library/multi"
PLATFORMS = ("linux/amd64", "linux/arm/v7")


def put_index(hub: Hub) -> dict[str, str]:
    """An index of two images under the tag ``latest``; their digests by platform."""
    digests, described = {}, []
    for platform in PLATFORMS:
        digest = hub.put_image(NAME, "x", platform.encode())
        system, architecture, *variant = platform.split("/")
        where = {"os": system, "architecture": architecture}
        described.append(
            {
                "mediaType": MANIFEST,
                "digest": digest,
                "size": len(hub.manifests[digest][1]),
                "platform": {**where, **({"variant": variant[0]} if variant else {})},
            }
        )
        digests[platform] = digest
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": described}).encode()
    hub.manifests[digest_of(body)] = (INDEX, body)
    hub.repositories[NAME].add(digest_of(body))
    hub.tags[NAME, "latest"] = digest_of(body)
    return digests


def get(hub: Hub, reference: str, method: str = "GET") -> int:
    path = f"/v2/{NAME}/manifests/{reference}"
    return hub.get(path, hub.token("alice", NAME), ACCEPT, method=method).status()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_platform_is_blocked(tmp_path: Path, method: str) -> None:
    """From the upstream and from what is kept; the index itself is for no platform."""
    text = '[[access.rule]]\naction = "block"\nplatforms = ["linux/arm/*"]\n'
    hub = mirror_of(tmp_path, text)
    digests = put_index(hub)
    assert get(hub, "latest") == 200
    for _ in range(2):
        assert get(hub, digests["linux/amd64"], method) == 200
        assert get(hub, digests["linux/arm/v7"], method) == 403


def test_only_a_platform_is_allowed(tmp_path: Path) -> None:
    """What is for none goes on: its platform is not known."""
    text = """
[[access.rule]]
action = "allow"
platforms = ["linux/amd64"]
[[access.rule]]
action = "deny"
"""
    hub = mirror_of(tmp_path, text)
    digests = put_index(hub)
    assert get(hub, "latest") == 200
    assert get(hub, digests["linux/amd64"]) == 200
    assert get(hub, digests["linux/arm/v7"]) == 403
    hub.put_image(NAME, "plain", b"in no index")
    assert get(hub, "plain") == 200


def test_a_type_is_blocked(tmp_path: Path) -> None:
    """Whatever asks for it."""
    assert INDEX in INDEX_TYPES
    text = '[[access.rule]]\naction = "block"\nmedia_types = ["application/**.index.*"]\n'
    hub = mirror_of(tmp_path, text)
    digests = put_index(hub)
    assert get(hub, "latest") == 403
    assert get(hub, "latest", "HEAD") == 403
    assert get(hub, digests["linux/arm/v7"]) == 200


def test_what_a_client_has_already_is_looked_at_too(tmp_path: Path) -> None:
    """It asks whether that is still so, and is told of its type, or not."""
    text = '[[access.rule]]\naction = "allow"\nmedia_types = ["**.index.*"]\n'
    hub = mirror_of(tmp_path, f'{text}[[access.rule]]\naction = "deny"\n')
    digests = put_index(hub)
    token = hub.token("alice", NAME)
    assert get(hub, "latest") == 200
    for reference, status in {"latest": 304, digests["linux/amd64"]: 403}.items():
        digest = hub.tags.get((NAME, reference), reference)
        same = f'If-None-Match: "{digest}"'
        path = f"/v2/{NAME}/manifests/{reference}"
        assert hub.get(path, token, ACCEPT, same).status() == status
