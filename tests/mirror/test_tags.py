"""Tags: fresh, checked behind, confirmed, stale, moved, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from hubmirror.naming import Repository, Tag
from hubmirror.question import Client, ManifestRequest, Question
from tests.mirror.hub import ACCEPT, MANIFEST, Hub
from tests.registry.edge import Edge

REPOSITORY = "library/hello"
IMAGE = f"/v2/{REPOSITORY}/manifests/latest"


def warmed(**settings: Any) -> Hub:
    """A Hub whose public image a logged-in client has just got through the mirror."""
    hub = Hub(Edge(prefetch="off", **settings))
    hub.put_image(REPOSITORY, "latest", b"first")
    assert hub.get(IMAGE, hub.token("alice", REPOSITORY), ACCEPT).status() == 200
    hub.asked()
    return hub


def test_a_fresh_tag_is_answered_here() -> None:
    """To anybody, as the repository is public; with its age."""
    hub = warmed(tag_ttl="5m")
    hub.edge.clock.advance(100)
    wire = hub.get(IMAGE, ACCEPT)
    assert wire.status() == 200
    assert hub.asked() == []
    assert "Age: 100" in wire.head()
    assert "Cache-Status: hubmirror; hit; ttl=200" in wire.head()
    assert f"Content-Type: {MANIFEST}" in wire.head()


def test_a_head_has_the_headers_of_the_get() -> None:
    """Containerd needs digest and length."""
    hub = warmed()
    got, asked = hub.get(IMAGE, ACCEPT), hub.get(IMAGE, ACCEPT, method="HEAD")
    for name in ("Content-Length", "Docker-Content-Digest", "Content-Type", "ETag"):
        line = next(line for line in got.head().splitlines() if line.startswith(f"{name}:"))
        assert line in asked.head()
    assert asked.body() == b""


def test_a_tag_that_is_checked_behind() -> None:
    """Answered at once with what is kept; the next one sees what the check has found."""
    hub = warmed(tag_ttl="5m", stale_while_revalidate="1h")
    moved = hub.put_image(REPOSITORY, "latest", b"second")
    hub.edge.clock.advance(301)
    assert moved not in hub.get(IMAGE, ACCEPT).head()
    assert f"HEAD {IMAGE}" in hub.asked()
    assert f"Docker-Content-Digest: {moved}" in hub.get(IMAGE, ACCEPT).head()
    assert hub.asked() == []


def test_a_tag_that_is_confirmed_first() -> None:
    """Long after its time: one HEAD, which costs no pull, and it is fresh again."""
    hub = warmed(tag_ttl="5m", stale_while_revalidate="0s", public_ttl="30d")
    hub.edge.clock.advance(1000)
    assert "ttl=300" in hub.get(IMAGE, ACCEPT).head()
    assert [line for line in hub.asked() if "/v2/" in line] == [f"HEAD {IMAGE}"]


def test_a_tag_that_has_moved_is_fetched() -> None:
    """The client that waited gets the new one."""
    hub = warmed(tag_ttl="5m", stale_while_revalidate="0s")
    moved = hub.put_image(REPOSITORY, "latest", b"second")
    hub.edge.clock.advance(1000)
    assert f"Docker-Content-Digest: {moved}" in hub.get(IMAGE, ACCEPT).head()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_stale_tag_is_served_while_the_upstream_fails(status: int) -> None:
    """For as long as that lasts, and with a warning."""
    hub = warmed(tag_ttl="5m", stale_while_revalidate="0s")
    hub.status = status
    hub.edge.clock.advance(30 * 86400)
    wire = hub.get(IMAGE, ACCEPT)
    assert wire.status() == 200
    assert "Warning: 299 - " in wire.head()


def test_a_stale_tag_is_served_while_the_upstream_hangs() -> None:
    """A client waits no longer than ``patience``."""
    hub = warmed(tag_ttl="5m", stale_while_revalidate="0s", patience="3s", public_ttl="30d")
    hub.hangs = True
    hub.edge.clock.advance(1000)
    protocol, wire = hub.edge.connect()
    protocol.dataReceived(f"GET {IMAGE} HTTP/1.1\r\nHost: a\r\n{ACCEPT}\r\n\r\n".encode())
    hub.edge.settle()
    assert wire.value() == b""
    hub.edge.clock.advance(3)
    assert wire.status() == 200


def test_staleness_may_be_bounded() -> None:
    """``stale_for``: older than that is the upstream's own failure."""
    hub = warmed(tag_ttl="5m", stale_while_revalidate="0s", stale_for="1h")
    hub.status = 503
    hub.edge.clock.advance(301 + 3600)
    assert hub.get(IMAGE, ACCEPT).status() == 503


def test_a_deleted_tag_is_kept() -> None:
    """The repository can still be read: what the tag was is served on, with a warning."""
    hub = warmed(tag_ttl="5m", stale_while_revalidate="0s", public_ttl="30d")
    del hub.tags[REPOSITORY, "latest"]
    hub.edge.clock.advance(1000)
    wire = hub.get(IMAGE, ACCEPT)
    assert wire.status() == 200
    assert "removed this tag" in wire.head()


def test_a_deleted_tag_may_be_dropped() -> None:
    """``when_deleted = drop``: gone is gone."""
    hub = warmed(tag_ttl="5m", stale_while_revalidate="0s", public_ttl="30d", when_deleted="drop")
    del hub.tags[REPOSITORY, "latest"]
    hub.edge.clock.advance(1000)
    wire = hub.get(IMAGE, ACCEPT)
    assert (wire.status(), wire.error()["code"]) == (404, "MANIFEST_UNKNOWN")


def test_a_client_that_lists_other_types_gets_its_own() -> None:
    """What was made for one kind of client is not given to another."""
    hub = warmed()
    hub.get(IMAGE, "Accept: application/vnd.docker.distribution.manifest.v1+json")
    assert f"GET {IMAGE}" in hub.asked()


def test_docker_asks_by_head_and_then_by_digest(hub: Hub) -> None:
    """Then the tag is known, and its manifest is here."""
    digest = hub.put_image(REPOSITORY, "latest", b"first")
    alice = hub.token("alice", REPOSITORY)
    hub.get(IMAGE, alice, ACCEPT, method="HEAD")
    hub.get(f"/v2/{REPOSITORY}/manifests/{digest}", alice, ACCEPT)
    hub.status = 503
    assert hub.get(IMAGE, ACCEPT, method="HEAD").status() == 200
    assert hub.get(IMAGE, ACCEPT).status() == 200


def test_the_mirror_itself_may_insist_on_asking() -> None:
    """A refresh that an operator asks for confirms the tag, however fresh it is."""
    hub = warmed(tag_ttl="5m")
    request = ManifestRequest(Repository("docker.io", REPOSITORY), Tag("latest"))
    accept = (ACCEPT.removeprefix("Accept: "),)
    client = Client("local", "http://mirror.example")
    question = Question("GET", request, client, accept=accept, no_cache=True)
    Deferred.fromCoroutine(hub.edge.mirror.answer(question)).addErrback(lambda failure: failure)
    hub.edge.settle()
    assert f"HEAD {IMAGE}" in hub.asked()
