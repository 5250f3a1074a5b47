"""A right to a blob is never another's: whoever is fetching it, and whatever lists it."""

from __future__ import annotations

import json
from typing import Any

from hubmirror.mirror import arrivals
from hubmirror.mirror.arrivals import Arrivals
from hubmirror.naming import Digest
from tests.mirror.hub import MANIFEST, Hub, digest_of
from tests.registry.edge import Edge

LAYER = b"the private layer"
SECRET, FORK = "team/secret", "library/fork"


def forked(hub: Hub) -> str:
    """A private image, and a public manifest that lists its layer; the latter's digest."""
    hub.put_image(SECRET, "1", LAYER, readers="alice")
    layer = {"mediaType": "x", "digest": digest_of(LAYER), "size": len(LAYER)}
    body = json.dumps({"schemaVersion": 2, "config": layer, "layers": [layer]}).encode()
    hub.manifests[digest_of(body)] = (MANIFEST, body)
    hub.repositories[FORK] = {digest_of(body)}
    return digest_of(body)


def blob(repository: str) -> str:
    return f"/v2/{repository}/blobs/{digest_of(LAYER)}"


def test_what_is_fetched_ahead_is_asked_for_as_itself() -> None:
    """While alice's fetch of a blob runs, a manifest that lists it opens it to nobody."""
    hub = Hub(Edge(prefetch="on"))
    manifest = forked(hub)
    bob = hub.token("bob", FORK)
    hub.hangs = True
    hub.get(blob(SECRET), hub.token("alice", SECRET))
    hub.hangs = False
    hub.asked()

    assert hub.get(f"/v2/{FORK}/manifests/{manifest}", bob).status() == 200

    asked = hub.asked()
    assert f"HEAD {blob(FORK)}" in asked
    assert f"GET {blob(FORK)}" not in asked
    assert hub.get(blob(FORK), bob).status() == 404


def test_a_refusal_does_not_tell_what_is_kept(hub: Hub) -> None:
    """A kept blob and an unknown one are refused alike, the first time and the second."""
    forked(hub)
    assert hub.get(blob(SECRET), hub.token("alice", SECRET)).status() == 200
    bob = hub.token("bob", FORK)
    unknown = digest_of(b"never seen")

    for _ in range(2):
        kept = hub.get(blob(FORK), bob).head()
        never = hub.get(f"/v2/{FORK}/blobs/{unknown}", bob).head()
        assert names(kept) == names(never)
        assert status_of_cache(kept) == status_of_cache(never)


def names(head: str) -> list[str]:
    """The names of an answer's fields."""
    return sorted(line.partition(":")[0].lower() for line in head.splitlines()[1:])


def status_of_cache(head: str) -> list[str]:
    """Its ``Cache-Status``."""
    return [line for line in head.splitlines() if line.lower().startswith("cache-status")]


def test_a_head_for_a_page_that_is_kept(hub: Hub) -> None:
    """It is answered as the GET is, without the upstream."""
    hub.put_image(FORK, "1", LAYER)
    path, bob = f"/v2/{FORK}/tags/list", hub.token("bob", FORK)
    length = len(hub.get(path, bob).body())
    hub.get(f"/v2/{FORK}/manifests/1", bob)
    hub.asked()

    wire = hub.get(path, bob, method="HEAD")

    assert (wire.status(), wire.body()) == (200, b"")
    assert f"Content-Length: {length}" in wire.head()
    assert hub.asked() == []


def test_what_is_being_asked_for_is_not_forgotten(monkeypatch: Any) -> None:
    """However many fetches have failed meanwhile: the next one is not the first."""
    monkeypatch.setattr(arrivals, "MANY", 1)
    index: Any = None
    found = Arrivals(index, lambda: 0.0)
    digest, lost = (Digest("sha256", character * 64) for character in "01")
    with found.asking(digest):
        found.expect(lost)
        found.forget_all_but([])
        assert (found.is_expected(digest), found.is_expected(lost)) == (True, False)
    found.expect(lost)
    found.forget_all_but([])
    assert not found.is_expected(digest)
