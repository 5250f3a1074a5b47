"""Tags: fresh, checked behind, confirmed, stale, moved, deleted."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.web.server import NOT_DONE_YET

from hubmirror.naming import Repository, Tag
from hubmirror.question import Client, ManifestRequest, Question
from hubmirror.quota.rules import Reserve, Rules
from tests.mirror.hub import ACCEPT, MANIFEST, Hub, digest_of
from tests.mirror.limited_hub import WORDS, LimitedHub
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


def limited(limit: int, rules: Rules | None = None, **settings: Any) -> tuple[LimitedHub, str]:
    """A Hub that grants so many pulls, of which one is spent on an image that has moved since;

    the digest of what is kept.
    """
    edge = Edge(prefetch="off", rules=rules, tag_ttl="5m", stale_while_revalidate="0s", **settings)
    hub = LimitedHub(edge, limit)
    kept = hub.put_image(REPOSITORY, "latest", b"first")
    assert hub.get(IMAGE, anonymous(hub), ACCEPT).status() == 200
    hub.put_image(REPOSITORY, "latest", b"second")
    edge.clock.advance(301)
    hub.asked()
    return hub, kept


def anonymous(hub: Hub) -> str:
    """The ``Authorization`` line of somebody without an account."""
    return hub.token("anonymous", REPOSITORY)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_last_pulls_are_spared(method: str) -> None:
    """A tag that has moved is served as it was, and why; the Hub counts nothing."""
    hub, kept = limited(10, Rules(spare_below=90))  # 9 are left
    wire = hub.get(IMAGE, anonymous(hub), ACCEPT, method=method)
    assert wire.status() == 200
    assert f"Docker-Content-Digest: {kept}" in wire.head()
    assert "Warning: 299 - \"Docker Hub's pull limit is nearly spent" in wire.head()
    assert [line for line in hub.asked() if line == f"GET {IMAGE}"] == []
    assert sum(hub.used.values()) == 1


def test_pulls_that_are_not_low_are_not_spared() -> None:
    """The new image comes."""
    hub, kept = limited(10, Rules(spare_below=89))
    wire = hub.get(IMAGE, anonymous(hub), ACCEPT)
    assert wire.status() == 200
    assert kept not in wire.head()
    assert "Warning" not in wire.head()


def test_a_tag_that_is_the_same_costs_no_pull_to_confirm() -> None:
    """However few are left, it is fresh again."""
    hub, _ = limited(1)
    hub.put_image(REPOSITORY, "latest", b"first")
    wire = hub.get(IMAGE, anonymous(hub), ACCEPT)
    assert "Warning" not in wire.head()
    assert "ttl=300" in wire.head()
    assert f"HEAD {IMAGE}" in hub.asked()


def test_what_is_not_kept_is_not_spared() -> None:
    """There is nothing else to give: the last pulls are for that."""
    hub, kept = limited(2, Rules(spare_below=50))
    hub.put_image(REPOSITORY, "other", b"other")
    assert kept in hub.get(IMAGE, anonymous(hub), ACCEPT).head()
    assert hub.get(f"/v2/{REPOSITORY}/manifests/other", anonymous(hub), ACCEPT).status() == 200


def test_spared_no_longer_than_stale_for() -> None:
    """What an operator holds for too old costs a pull."""
    hub, kept = limited(2, Rules(spare_below=50), stale_for="1h")
    assert kept in hub.get(IMAGE, anonymous(hub), ACCEPT).head()
    hub.edge.clock.advance(3600)
    assert kept not in hub.get(IMAGE, anonymous(hub), ACCEPT).head()


def test_pulls_come_again() -> None:
    """The next HEAD tells of a new window; the next client has the new image."""
    hub, kept = limited(1)
    assert kept in hub.get(IMAGE, anonymous(hub), ACCEPT).head()
    hub.used.clear()
    hub.limit = 100
    wire = hub.get(IMAGE, anonymous(hub), ACCEPT)
    assert kept not in wire.head()
    assert "Warning" not in wire.head()


def test_a_member_is_not_served_what_is_spared_for_it() -> None:
    """Though both ask at once: they share no question upstream."""
    networks = {"ci": (ip_network("192.0.2.64/26"),)}
    rules = Rules(networks=networks, reserves=(Reserve(50, networks=("ci",)),))
    hub, kept = limited(2, rules)
    give, held = hub.edge.upstream.answer, []

    def hold(request: Any) -> int:
        held.append(request)
        return NOT_DONE_YET

    hub.edge.upstream.answer = hold
    lines = f"GET {IMAGE} HTTP/1.1\r\nHost: a\r\n{anonymous(hub)}\r\n{ACCEPT}\r\n\r\n"
    stranger, member = (hub.edge.send(lines.encode(), peer) for peer in ("192.0.2.1", "192.0.2.65"))
    hub.edge.upstream.answer = give
    for request in held:
        request.write(give(request))
        request.finish()
    hub.edge.settle()
    assert kept in stranger.head()
    assert member.status() == 200
    assert kept not in member.head()


def test_a_pull_that_the_hub_refuses_is_bridged() -> None:
    """It knows better than we do what is left: what is kept goes out, with a warning."""
    hub, kept = limited(100)
    hub.limit = 0
    give = hub.edge.upstream.answer

    def silent_head(request: Any) -> bytes | int:
        body = give(request)
        if request.method == b"HEAD":
            request.responseHeaders.removeHeader("ratelimit-limit")
        return body

    hub.edge.upstream.answer = silent_head
    wire = hub.get(IMAGE, anonymous(hub), ACCEPT)
    assert wire.status() == 200
    assert f"Docker-Content-Digest: {kept}" in wire.head()
    assert "Warning: 299 - " in wire.head()
    assert f"GET {IMAGE}" in hub.asked()


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_refusal_that_nothing_bridges_is_the_hubs_own(by: str) -> None:
    """Status, words, and when to come again."""
    hub, _ = limited(1)
    digest = hub.put_image(REPOSITORY, "other", b"other")
    reference = {"tag": "other", "digest": digest}[by]
    wire = hub.get(f"/v2/{REPOSITORY}/manifests/{reference}", anonymous(hub), ACCEPT)
    assert wire.status() == 429
    assert wire.body() == WORDS
    assert "retry-after: 77" in wire.head().lower()
    assert "ratelimit-remaining: 0;w=21600" in wire.head().lower()


def test_a_refused_pull_stops_nothing_else() -> None:
    """The limit is one of manifests: blobs, lists and what is kept are still to be had."""
    hub, _ = limited(1)
    hub.put_image(REPOSITORY, "other", b"other")
    assert hub.get(f"/v2/{REPOSITORY}/manifests/other", anonymous(hub), ACCEPT).status() == 429
    blob = f"/v2/{REPOSITORY}/blobs/{digest_of(b'first')}"
    for path in (blob, f"/v2/{REPOSITORY}/tags/list", IMAGE):
        assert hub.get(path, anonymous(hub), ACCEPT).status() == 200


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
