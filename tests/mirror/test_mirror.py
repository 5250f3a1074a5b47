"""The policy's order: every way in is counted first, and how it comes out in the end."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from typing import Any

import pytest
from twisted.web.server import NOT_DONE_YET

from hubmirror.question import Outcome
from hubmirror.quota.accounts import Dimension
from hubmirror.quota.history import Step
from hubmirror.quota.kinds import Kind
from hubmirror.quota.rules import ClientLimits, Rules
from tests.mirror.hub import ACCEPT, Hub, digest_of
from tests.registry.edge import Edge, hang_up

REPOSITORY = "library/hello"
IMAGE = f"/v2/{REPOSITORY}/manifests/latest"
OTHER = f"/v2/{REPOSITORY}/manifests/other"
BLOB = f"/v2/{REPOSITORY}/blobs/{digest_of(b'layer')}"
SCOPE = f"scope=repository:{REPOSITORY}:pull"
#: As long as the day is not spent.
DAY = 200


def outcomes(hub: Hub) -> dict[tuple[Kind, Outcome], int]:
    """How today's requests came out."""
    today = hub.edge.quota.tally.latest(Step.DAY)
    counts = {(kind, outcome): today.count(kind, outcome) for kind in Kind for outcome in Outcome}
    return {key: count for key, count in counts.items() if count}


def warmed(rules: Rules | None = None, **settings: Any) -> Hub:
    """A Hub whose public image a logged-in client has just got, by three requests."""
    hub = Hub(Edge(rules=rules, prefetch="off", **settings))
    hub.put_image(REPOSITORY, "latest", b"layer")
    hub.put_image(REPOSITORY, "other", b"another layer")
    for path in (IMAGE, BLOB, f"/token?{SCOPE}"):
        assert hub.get(path, hub.token("alice", REPOSITORY), ACCEPT).status() == 200
    return hub


def spent(on_exhausted: str = "cache-only", **settings: Any) -> Hub:
    """The same once the day's requests are spent; ``asked`` is empty."""
    rules = Rules(per_day=DAY, on_exhausted=on_exhausted)  # type: ignore[arg-type]
    hub = warmed(rules, **settings)
    while hub.edge.quota.day().remaining:
        hub.get(IMAGE, ACCEPT)
    hub.asked()
    return hub


def test_every_request_is_counted(hub: Hub) -> None:
    """What is refused, what stays here, and what goes upstream."""
    hub.get("/v2/A/manifests/x")
    hub.get("/v2/", method="OPTIONS")
    hub.get("/v2/")
    assert hub.edge.quota.day().used == 3
    assert hub.asked() == ["GET /v2/"]


def test_a_spent_day_still_gives_what_is_kept() -> None:
    """A whole pull, from the challenge on; the upstream is not asked for any of it."""
    hub = spent()
    wire = hub.get("/v2/")
    assert wire.status() == 401
    assert 'Bearer realm="http://mirror.example:5000/token"' in wire.head()
    wire = hub.get(f"/token?{SCOPE}", "Authorization: Basic eDp5")
    ours = f"Authorization: Bearer {json.loads(wire.body())['token']}"
    assert hub.get("/v2/", ours).status() == 200
    assert hub.get(IMAGE, ours, ACCEPT).status() == 200
    assert hub.get(BLOB, ours).body() == b"layer"
    assert hub.get("/v2/", "Authorization: Bearer any").status() == 200
    assert hub.asked() == []
    assert hub.edge.quota.day().used == DAY


@pytest.mark.parametrize("path", [OTHER, f"/v2/{REPOSITORY}/blobs/{digest_of(b'another layer')}"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_spent_day_gives_nothing_else(path: str, method: str) -> None:
    """Only what would go upstream is refused: by what, and until when."""
    hub = spent()
    wire = hub.get(path, ACCEPT, method=method)
    assert wire.status() == 429
    assert "Retry-After: 43200" in wire.head()
    if method == "GET":
        assert wire.error()["message"].startswith("this mirror's 200 requests for today are spent")
    assert hub.asked() == []


def test_a_spent_day_with_nothing_to_give() -> None:
    """Who could get nothing is told so at the door."""
    hub = Hub(Edge(quota=1, prefetch="off"))
    hub.get("/v2/")
    hub.asked()
    for path in ("/v2/", "/token", f"/token?{SCOPE}", IMAGE):
        assert hub.get(path).status() == 429
    assert hub.asked() == []


def test_a_spent_day_serves_outdated_tags() -> None:
    """Long after their time, and long after the repository was last seen to be public."""
    hub = spent(tag_ttl="1m", stale_while_revalidate="0s", public_ttl="1m")
    hub.edge.clock.advance(3600)
    wire = hub.get(IMAGE, ACCEPT)
    assert wire.status() == 200
    assert "Warning: 299 - " in wire.head()
    assert hub.get(BLOB).status() == 200
    assert hub.asked() == []


def test_a_spent_day_widens_no_right() -> None:
    """A private image goes on to whose token has opened it, and to nobody else."""
    hub = Hub(Edge(quota=2, prefetch="off", right_ttl="1m"))
    hub.put_image("team/secret", "latest", b"layer", readers="alice")
    paths = ("/v2/team/secret/manifests/latest", f"/v2/team/secret/blobs/{digest_of(b'layer')}")
    for path in paths:
        assert hub.get(path, hub.token("alice", "team/secret"), ACCEPT).status() == 200
    hub.asked()
    ours = json.loads(hub.get("/token?scope=repository:team/secret:pull").body())["token"]
    for seconds in (0, 100):
        hub.edge.clock.advance(seconds)
        for path in paths:
            assert hub.get(path, hub.token("alice", "team/secret"), ACCEPT).status() == 200
            for other in (hub.token("bob", "team/secret"), f"Authorization: Bearer {ours}", "A: b"):
                assert hub.get(path, other, ACCEPT).status() == 429
    assert hub.asked() == []


def test_a_spent_day_may_refuse_all() -> None:
    """``on_exhausted = refuse``: what is kept, too, and the door."""
    hub = spent("refuse")
    for path in (IMAGE, BLOB, OTHER, "/v2/", "/token"):
        assert hub.get(path, ACCEPT).status() == 429
    assert hub.asked() == []


def test_a_spent_day_may_only_be_counted() -> None:
    """``on_exhausted = count``: nothing changes but the count."""
    hub = spent("count")
    for path in (IMAGE, BLOB, OTHER):
        assert hub.get(path, hub.token("alice", REPOSITORY), ACCEPT).status() == 200
    assert hub.edge.quota.day().used == DAY + 3
    assert f"GET {OTHER}" in hub.asked()


def test_a_client_that_has_spent_its_own_does_not_hold_up_others() -> None:
    """One address is refused what must come from upstream; another gets it."""
    hub = warmed(Rules(clients=(ClientLimits(requests_per_day=3),)))
    assert hub.get(OTHER, ACCEPT).status() == 429
    request = f"GET {OTHER} HTTP/1.1\r\nHost: a\r\n{hub.token('alice', REPOSITORY)}\r\n\r\n"
    assert hub.edge.send(request.encode(), "192.0.2.7").status() == 200


def test_each_request_comes_out_once() -> None:
    """By kind: from upstream, from here, from here though outdated, refused, failed."""
    hub = warmed(tag_ttl="5m", stale_while_revalidate="0s")
    assert outcomes(hub) == {
        (Kind.MANIFEST_GET, Outcome.MISS): 1,
        (Kind.BLOB, Outcome.MISS): 1,
        (Kind.TOKEN, Outcome.MISS): 1,
    }
    hub.get(IMAGE, ACCEPT)
    hub.get(IMAGE, ACCEPT, method="HEAD")
    hub.get(BLOB, "Range: bytes=0-1")
    hub.get("/v2/A/manifests/x")
    hub.get("/v2/", method="OPTIONS")
    hub.get("/v2/")
    hub.get(f"/v2/{REPOSITORY}/tags/list", hub.token("alice", REPOSITORY))
    hub.edge.clock.advance(400)
    hub.status = 503
    hub.get(IMAGE, ACCEPT)
    hub.get(OTHER, hub.token("alice", REPOSITORY), ACCEPT)
    hub.status = 429
    hub.get(OTHER, hub.token("alice", REPOSITORY), ACCEPT)
    assert outcomes(hub) == {
        (Kind.MANIFEST_GET, Outcome.MISS): 1,
        (Kind.MANIFEST_GET, Outcome.HIT): 1,
        (Kind.MANIFEST_GET, Outcome.STALE): 1,
        (Kind.MANIFEST_GET, Outcome.REFUSED): 1,
        (Kind.MANIFEST_GET, Outcome.ERROR): 1,
        (Kind.MANIFEST_HEAD, Outcome.HIT): 1,
        (Kind.BLOB, Outcome.MISS): 1,
        (Kind.BLOB, Outcome.HIT): 1,
        (Kind.TOKEN, Outcome.MISS): 1,
        (Kind.PING, Outcome.MISS): 1,
        (Kind.TAGS, Outcome.MISS): 1,
        (Kind.OTHER, Outcome.ERROR): 1,
        (Kind.OTHER, Outcome.HIT): 1,
    }
    assert hub.edge.quota.tally.latest(Step.DAY).requests == 13 == hub.edge.quota.day().used


def test_what_was_not_there_a_moment_ago_is_a_hit(hub: Hub) -> None:
    """A 404 that is kept needs nobody upstream."""
    hub.put_image(REPOSITORY, "latest", b"layer")
    for _ in range(2):
        hub.get(f"/v2/{REPOSITORY}/manifests/none", hub.token("alice", REPOSITORY), ACCEPT)
    assert outcomes(hub) == {
        (Kind.MANIFEST_GET, Outcome.MISS): 1,
        (Kind.MANIFEST_GET, Outcome.HIT): 1,
    }


@pytest.mark.parametrize(
    ("on_exhausted", "kept", "token"),
    [
        ("cache-only", Outcome.HIT, Outcome.HIT),
        ("refuse", Outcome.REFUSED, Outcome.REFUSED),
        ("count", Outcome.HIT, Outcome.MISS),
    ],
)
def test_what_a_limit_refuses(on_exhausted: str, kept: Outcome, token: Outcome) -> None:
    """It is counted as such, and not as a request that was let through."""
    hub = spent(on_exhausted)
    before = Counter(outcomes(hub))
    for path in (IMAGE, f"/token?{SCOPE}"):
        hub.get(path, ACCEPT)
    hub.get(OTHER, hub.token("alice", REPOSITORY), ACCEPT)
    other = Outcome.MISS if on_exhausted == "count" else Outcome.REFUSED
    came = Counter({(Kind.TOKEN, token): 1})
    came.update([(Kind.MANIFEST_GET, kept), (Kind.MANIFEST_GET, other)])
    assert Counter(outcomes(hub)) - before == came


def test_a_client_that_leaves_early_is_an_error(hub: Hub) -> None:
    """It got nothing; and it comes out once, too, when the upstream is heard of later."""
    hub.put_image(REPOSITORY, "latest", b"layer")
    held = []

    def hold(request: object) -> int:
        held.append(request)
        return NOT_DONE_YET

    hub.edge.upstream.answer = hold
    protocol, wire = hub.edge.connect()
    lines = [f"GET {IMAGE} HTTP/1.1", "Host: a", hub.token("alice", REPOSITORY), ACCEPT, "", ""]
    protocol.dataReceived("\r\n".join(lines).encode())
    hub.edge.settle()
    assert (len(held), outcomes(hub)) == (1, {})
    hang_up(protocol)
    hub.edge.clock.advance(60)
    hub.edge.settle()
    assert outcomes(hub) == {(Kind.MANIFEST_GET, Outcome.ERROR): 1}
    assert wire.value() == b""


def login(hub: Hub, user: str) -> str:
    """The ``Authorization`` line with a token that ``user`` got through the mirror."""
    basic = b64encode(f"{user}:pw".encode()).decode()
    wire = hub.get(f"/token?{SCOPE}", f"Authorization: Basic {basic}")
    return f"Authorization: Bearer {json.loads(wire.body())['token']}"


def users(hub: Hub) -> dict[str, int]:
    """How many requests each user has made today."""
    return {one.name: one.requests for one in hub.edge.quota.top(Dimension.USER, 10)}


def test_a_users_requests_are_counted_for_the_user(hub: Hub) -> None:
    """With a token that the token server gave for the password; bytes, too."""
    hub.put_image(REPOSITORY, "latest", b"layer")
    alice = login(hub, "alice")
    assert users(hub) == {}
    for _ in range(2):
        hub.get(IMAGE, alice, ACCEPT)
    assert users(hub) == {"alice": 2}
    assert hub.edge.quota.top(Dimension.USER, 1)[0].bytes_out > 300


def test_what_a_token_says_of_itself_is_not_heard(hub: Hub) -> None:
    """A forged claim is nobody's, even where the registry were to take it."""
    hub.put_image(REPOSITORY, "latest", b"layer")
    login(hub, "alice")
    claims = b64encode(json.dumps({"sub": "alice", "user": "alice"}).encode()).decode().rstrip("=")
    for forged in (f"e30.{claims}.AAAA", "alice", f"alice:{REPOSITORY}x"):
        hub.get(IMAGE, f"Authorization: Bearer {forged}", ACCEPT)
    hub.get(IMAGE, "Authorization: Basic YWxpY2U6cHc=", ACCEPT)
    assert users(hub) == {}


def test_a_user_has_limits_of_its_own() -> None:
    """Spent, whatever address it comes from; its neighbour goes on."""
    hub = warmed(Rules(clients=(ClientLimits(user="alice", requests_per_day=2),)))
    alice, bob = login(hub, "alice"), login(hub, "bob")
    paths = [f"/v2/{REPOSITORY}/manifests/{tag}" for tag in ("x", "y", "other")]
    assert [hub.get(path, alice, ACCEPT).status() for path in paths] == [404, 404, 429]
    assert hub.get(OTHER, bob, ACCEPT).status() == 200


def test_without_a_cache_all_goes_upstream() -> None:
    """``cache = off``: the mirror forwards, and keeps nothing."""
    edge = Edge(cache="off")
    hub = Hub(edge)
    hub.put_image(REPOSITORY, "latest", b"layer")
    alice = hub.token("alice", REPOSITORY)
    for _ in range(2):
        assert hub.get(IMAGE, alice, ACCEPT).status() == 200
    assert hub.asked() == [f"GET {IMAGE}"] * 2
