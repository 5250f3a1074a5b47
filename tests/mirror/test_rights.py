"""Who may read what is kept."""

from __future__ import annotations

import pytest

from hubmirror.naming import Repository
from tests.mirror.hub import ACCEPT, Hub, digest_of
from tests.registry.edge import Edge

SECRET = "team/secret"
LAYER = b"secret layer"
PATHS = (f"/v2/{SECRET}/manifests/latest", f"/v2/{SECRET}/blobs/{digest_of(LAYER)}")
#: Each way to ask: a method, and further headers.
WAYS = (("GET", ""), ("HEAD", ""), ("GET", "Range: bytes=0-3"))


@pytest.fixture
def private() -> Hub:
    """A private repository of Alice's, warmed by her."""
    hub = Hub(Edge(prefetch="off", right_ttl="5m", public_ttl="1h", tag_ttl="5m"))
    hub.put_image(SECRET, "latest", LAYER, readers="alice")
    for path in PATHS:
        assert hub.get(path, hub.token("alice", SECRET), ACCEPT).status() == 200
    return hub


def statuses(hub: Hub, *headers: str) -> set[int]:
    """What all ways to ask for all that is kept answer; no answer may hold the secret."""
    found = set()
    for path in PATHS:
        for method, more in WAYS:
            lines = [line for line in (*headers, ACCEPT, more) if line]
            wire = hub.get(path, *lines, method=method)
            found.add(wire.status())
            assert wire.status() < 300 or LAYER not in wire.value()
    return found


def test_the_owner_reads_on(private: Hub) -> None:
    """Her right was learned."""
    assert statuses(private, private.token("alice", SECRET)) <= {200, 206}


def test_nobody_else_does(private: Hub) -> None:
    """Without a token, with another user's, with one for another repository."""
    assert statuses(private) == {401}
    assert statuses(private, private.token("bob", SECRET)) == {401}
    assert statuses(private, private.token("alice", "library/hello")) == {401}
    assert statuses(private, "Authorization: Basic YWxpY2U6cHc=") == {401}


def test_a_right_ends(private: Hub) -> None:
    """Revoked upstream: within ``right_ttl`` here, too."""
    private.readers[SECRET] = {"carol"}
    private.edge.clock.advance(301)
    assert statuses(private, private.token("alice", SECRET)) == {401}


def test_an_outage_widens_no_right(private: Hub) -> None:
    """A token that is known and alive opens; any other does not."""
    private.status = 503
    assert statuses(private, private.token("alice", SECRET)) <= {200, 206}
    assert 200 not in statuses(private, private.token("bob", SECRET))
    assert 200 not in statuses(private)


@pytest.mark.parametrize("status", [429, 503])
def test_in_an_outage_a_right_lasts_as_long_as_its_token(status: int) -> None:
    """An upstream that answers, but not to the point, can't be asked either."""
    hub = Hub(Edge(prefetch="off", right_ttl="1m", public_ttl="1h", tag_ttl="5m"))
    hub.put_image(SECRET, "latest", LAYER, readers="alice")
    for path in PATHS:
        assert hub.get(path, hub.token("alice", SECRET), ACCEPT).status() == 200
    hub.status = status
    hub.edge.clock.advance(61)
    assert statuses(hub, hub.token("alice", SECRET)) <= {200, 206}
    assert not {200, 206} & statuses(hub, hub.token("bob", SECRET))


def test_a_token_of_the_mirrors_own_opens_public_repositories_only(private: Hub) -> None:
    """Whatever credentials it was given for."""
    private.status = 503
    wire = private.get(
        f"/token?scope=repository:{SECRET}:pull", "Authorization: Basic YWxpY2U6cHc="
    )
    token = __import__("json").loads(wire.body())["token"]
    assert not {200, 206} & statuses(private, f"Authorization: Bearer {token}")


def test_public_made_private_and_back() -> None:
    """Asked again after ``public_ttl``; nothing leaks in between."""
    hub = Hub(Edge(prefetch="off", public_ttl="1h"))
    hub.put_image(SECRET, "latest", LAYER)
    for path in PATHS:
        hub.get(path, hub.token("alice", SECRET), ACCEPT)
    assert statuses(hub) <= {200, 206}
    hub.readers[SECRET] = {"alice"}
    hub.edge.clock.advance(3601)
    assert statuses(hub) == {401}
    assert statuses(hub, hub.token("alice", SECRET)) <= {200, 206}
    del hub.readers[SECRET]
    hub.edge.clock.advance(3601)
    assert statuses(hub) <= {200, 206}


def test_a_repository_that_vanished_looks_private() -> None:
    """Only what an operator has pinned is served on."""
    hub = Hub(Edge(prefetch="off", public_ttl="1h"))
    hub.put_image(SECRET, "latest", LAYER)
    for path in PATHS:
        hub.get(path, hub.token("alice", SECRET), ACCEPT)
    hub.repositories.pop(SECRET)
    hub.edge.clock.advance(3601)
    assert statuses(hub) == {401}


def test_what_is_pinned_stays() -> None:
    """The operator's word is worth more than the upstream's silence."""
    hub = Hub(Edge(prefetch="off", public_ttl="1h"))
    hub.put_image(SECRET, "latest", LAYER)
    for path in PATHS:
        hub.get(path, hub.token("alice", SECRET), ACCEPT)
    hub.edge.storage.index.pin(Repository("docker.io", SECRET), "latest", True)
    hub.repositories.pop(SECRET)
    for seconds in (3601, 300, 5000):
        hub.edge.clock.advance(seconds)
        assert statuses(hub) <= {200, 206}
