"""Manifests by digest."""

from __future__ import annotations

from typing import Any

from hubmirror.naming import parse_digest
from tests.mirror.hub import ACCEPT, Hub

REPOSITORY = "library/hello"


def path(digest: str, repository: str = REPOSITORY) -> str:
    return f"/v2/{repository}/manifests/{digest}"


def test_is_kept_for_ever(hub: Hub) -> None:
    """What is under its digest can't change."""
    digest = hub.put_image(REPOSITORY, "latest", b"layer")
    first = hub.get(path(digest), hub.token("alice", REPOSITORY), ACCEPT)
    assert "fwd=miss; stored" in first.head()
    hub.status = 503
    hub.edge.clock.advance(400 * 86400)
    wire = hub.get(path(digest), ACCEPT)
    assert (wire.status(), wire.body()) == (200, first.body())
    assert f'ETag: "{digest}"' in wire.head()


def test_a_client_that_has_it_is_told_so(hub: Hub) -> None:
    """304, without a body."""
    digest = hub.put_image(REPOSITORY, "latest", b"layer")
    hub.get(path(digest), hub.token("alice", REPOSITORY), ACCEPT)
    wire = hub.get(path(digest), ACCEPT, f'If-None-Match: "{digest}"')
    assert (wire.status(), wire.body()) == (304, b"")


def test_a_wrong_manifest_is_never_kept_nor_given(hub: Hub) -> None:
    """Another body under the digest: 502."""
    digest = hub.put_image(REPOSITORY, "latest", b"layer")
    hub.manifests[digest] = (hub.manifests[digest][0], b"{}")
    wire = hub.get(path(digest), hub.token("alice", REPOSITORY), ACCEPT)
    assert wire.status() == 502
    assert b"{}" not in wire.body()


def test_another_repository_has_to_give_it_itself(hub: Hub) -> None:
    """That it is kept of one gives no right to it in another."""
    digest = hub.put_image(REPOSITORY, "latest", b"layer")
    hub.put_image("library/other", "latest", b"other")
    hub.get(path(digest), hub.token("alice", REPOSITORY), ACCEPT)
    wire = hub.get(path(digest, "library/other"), hub.token("alice", "library/other"), ACCEPT)
    assert wire.status() == 404


def test_404s_are_kept_for_a_moment(hub: Hub) -> None:
    """``negative_ttl``; each credential has its own."""
    hub.put_image(REPOSITORY, "latest", b"layer")
    missing = path("sha256:" + "0" * 64)
    alice = hub.token("alice", REPOSITORY)
    assert hub.get(missing, alice, ACCEPT).status() == 404
    hub.asked()
    wire = hub.get(missing, alice, ACCEPT)
    assert (wire.status(), wire.error()["code"]) == (404, "MANIFEST_UNKNOWN")
    assert hub.asked() == []
    hub.get(missing, hub.token("bob", REPOSITORY), ACCEPT)
    assert hub.asked() == [f"GET {missing}"]
    hub.edge.clock.advance(30)
    hub.get(missing, alice, ACCEPT)
    assert hub.asked() == [f"GET {missing}"]


def test_is_in_use_while_it_is_kept(hub: Hub, monkeypatch: Any) -> None:
    """An eviction at that very moment must not take the file of a row that is about to come."""
    storage = hub.edge.storage
    put, seen = storage.index.put_blob, []

    def watched(row: Any) -> Any:
        seen.append(storage.arrivals.is_in_use(row.digest))
        return put(row)

    monkeypatch.setattr(storage.index, "put_blob", watched)
    digest = hub.put_image(REPOSITORY, "latest", b"layer")
    hub.get(path(digest), hub.token("alice", REPOSITORY), ACCEPT)
    assert seen == [True]
    assert not storage.arrivals.is_in_use(parse_digest(digest))
