"""Docker Hub's pulls: which requests count, for whom, and at whose cost."""

from __future__ import annotations

import json
from base64 import b64encode
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from hubmirror.quota.accounts import Dimension
from hubmirror.quota.pulls import OURS
from hubmirror.quota.rules import Reserve, Rules
from tests.mirror.hub import ACCEPT, Hub
from tests.mirror.limited_hub import ADDRESS, LimitedHub
from tests.registry.edge import Edge, Wire

REPOSITORY = "library/hello"
IMAGE = f"/v2/{REPOSITORY}/manifests/latest"
PUBLIC = f"Authorization: Bearer anonymous:{REPOSITORY}"


def limited(limit: int = 100, rules: Rules | None = None, **settings: Any) -> LimitedHub:
    """A Hub with one public image, behind a mirror that fetches nothing ahead."""
    hub = LimitedHub(Edge(prefetch="off", rules=rules, **settings), limit)
    hub.put_image(REPOSITORY, "latest", b"first")
    return hub


def log_in(hub: Hub, user: str) -> str:
    """The ``Authorization`` line with a token that ``user`` got through the mirror."""
    basic = b64encode(f"{user}:pw".encode()).decode()
    wire = hub.get(f"/token?scope=repository:{REPOSITORY}:pull", f"Authorization: Basic {basic}")
    return f"Authorization: Bearer {json.loads(wire.body())['token']}"


def get_from(hub: Hub, peer: str, path: str, *headers: str) -> Wire:
    """A request from another address."""
    lines = [f"GET {path} HTTP/1.1", "Host: a", ACCEPT, *headers, "", ""]
    return hub.edge.send("\r\n".join(lines).encode(), peer)


def remaining(hub: Hub) -> dict[str, int]:
    """What is known to be left, by payer."""
    return {payer: told.remaining for payer, told in hub.edge.quota.pulls.limits().items()}


def pulls_of(hub: Hub, dimension: Dimension) -> dict[str, int]:
    """The pulls that today's busiest of a kind have caused."""
    return {one.name: one.pulls for one in hub.edge.quota.top(dimension, 10) if one.pulls}


def test_a_manifest_that_comes_by_get_is_a_pull() -> None:
    """It is told with client and image, and counted for address and repository."""
    hub = limited()
    hub.get(IMAGE, PUBLIC, ACCEPT)
    told = hub.edge.quota.pulls.latest()
    assert [(pull.spender.address, pull.image) for pull in told] == [
        ("192.0.2.1", "library/hello:latest")
    ]
    assert hub.edge.quota.tally.since_start().as_json()["pulls"] == 1
    assert pulls_of(hub, Dimension.ADDRESS) == {"192.0.2.1": 1}
    assert pulls_of(hub, Dimension.REPOSITORY) == {REPOSITORY: 1}
    assert remaining(hub) == {OURS: 99}
    assert hub.edge.quota.pulls.limits()[OURS].source == ADDRESS


def test_nothing_else_is_one() -> None:
    """A HEAD, a 404, a blob, a list, a hit; what they tell of the limit is heard."""
    hub = limited()
    hub.get(IMAGE, PUBLIC, ACCEPT, method="HEAD")
    assert remaining(hub) == {OURS: 100}
    hub.get(f"/v2/{REPOSITORY}/manifests/none", PUBLIC, ACCEPT)
    blob = next(iter(hub.blobs))
    hub.get(f"/v2/{REPOSITORY}/blobs/{blob}", PUBLIC)
    hub.get(f"/v2/{REPOSITORY}/tags/list", PUBLIC)
    assert hub.edge.quota.pulls.latest() == []
    for _ in range(3):
        hub.get(IMAGE, PUBLIC, ACCEPT)
    assert len(hub.edge.quota.pulls.latest()) == 1


def test_a_registry_without_a_limit_counts_none(hub: Hub) -> None:
    """What has no such fields has no pulls."""
    hub.put_image(REPOSITORY, "latest", b"first")
    hub.get(IMAGE, PUBLIC, ACCEPT)
    assert hub.edge.quota.pulls.latest() == []
    assert remaining(hub) == {}


def test_a_refusal_of_the_hubs_tells_that_there_are_none_left() -> None:
    """A 429 is an answer, too, and no pull."""
    hub = limited(0)
    assert hub.get(IMAGE, PUBLIC, ACCEPT).status() == 429
    assert remaining(hub) == {OURS: 0}
    assert hub.edge.quota.pulls.latest() == []


def test_a_users_pull_costs_the_users_account() -> None:
    """The Hub counts it there, and so does the mirror."""
    hub = limited()
    alice = log_in(hub, "alice")
    hub.get(IMAGE, alice, ACCEPT)
    assert hub.edge.quota.pulls.latest()[0].spender.user == "alice"
    assert pulls_of(hub, Dimension.USER) == {"alice": 1}
    assert remaining(hub) == {"alice": 99, OURS: 100}  # the mirror has asked whether it is public
    assert hub.used == {"alice-id": 1}


def test_a_token_that_nobody_knows_says_nothing_of_our_own_limit() -> None:
    """Else a stranger with a spent account could take all others' pulls away."""
    hub = limited(1, Rules(reserves=(Reserve(50, networks=("ci",)),)))
    hub.put_image(REPOSITORY, "other", b"other")
    mallory = hub.token("mallory", REPOSITORY)
    for tag in ("latest", "other"):
        hub.get(f"/v2/{REPOSITORY}/manifests/{tag}", mallory, ACCEPT)
    assert hub.used == {"mallory-id": 1}
    assert remaining(hub) == {OURS: 1}
    assert hub.get(f"/v2/{REPOSITORY}/manifests/other", PUBLIC, ACCEPT).status() == 200
    assert [pull.spender.user for pull in hub.edge.quota.pulls.latest()] == [None, None]


def test_an_account_of_the_mirrors_own_pays_for_all(tmp_path: Path) -> None:
    """``auth = mirror``: whoever asks, with whatever token."""
    login = tmp_path / "login"
    login.write_text("alice:pw")
    login.chmod(0o600)
    hub = limited(auth="mirror", upstream_credentials=str(login))
    hub.get(IMAGE, hub.token("bob", REPOSITORY), ACCEPT)
    assert hub.used == {"alice-id": 1}
    assert remaining(hub) == {OURS: 99}
    assert hub.edge.quota.pulls.limits()[OURS].source == "alice-id"
    assert pulls_of(hub, Dimension.ADDRESS) == {"192.0.2.1": 1}


def test_a_new_image_costs_our_pulls_and_is_counted_for_who_asked() -> None:
    """A tag of a public repository is confirmed in the mirror's own name, for a user, too."""
    hub = limited(tag_ttl="5m", stale_while_revalidate="0s", public_ttl="30d")
    alice = log_in(hub, "alice")
    hub.get(IMAGE, alice, ACCEPT)
    hub.put_image(REPOSITORY, "latest", b"second")
    hub.edge.clock.advance(301)
    bob = log_in(hub, "bob")
    assert hub.get(IMAGE, bob, ACCEPT).status() == 200
    assert hub.used == {"alice-id": 1, ADDRESS: 1}
    assert remaining(hub) == {"alice": 99, OURS: 99}
    assert [pull.spender.user for pull in hub.edge.quota.pulls.latest()] == ["bob", "alice"]


def test_what_goes_on_behind_is_counted_for_who_caused_it() -> None:
    """A tag that is checked behind the answer, and has moved: a pull of that client's."""
    hub = limited(tag_ttl="5m", stale_while_revalidate="1h")
    get_from(hub, "192.0.2.1", IMAGE, PUBLIC)
    moved = hub.put_image(REPOSITORY, "latest", b"second")
    hub.edge.clock.advance(301)
    assert moved not in get_from(hub, "192.0.2.2", IMAGE, PUBLIC).head()
    assert moved in get_from(hub, "192.0.2.3", IMAGE, PUBLIC).head()
    told = [pull.spender.address for pull in hub.edge.quota.pulls.latest()]
    assert told == ["192.0.2.2", "192.0.2.1"]


def test_blobs_that_are_fetched_ahead_count_no_pull() -> None:
    """They are none at the Hub."""
    hub = LimitedHub(Edge())
    hub.put_image(REPOSITORY, "latest", b"first")
    hub.get(IMAGE, PUBLIC, ACCEPT)
    assert any("/blobs/" in line for line in hub.asked())
    assert len(hub.edge.quota.pulls.latest()) == 1
    hub.edge.policy.default.mirrored.prefetch.close()


def test_the_last_pulls_are_for_whom_they_are_reserved() -> None:
    """Others are told so, and the Hub is not asked; a member's pull goes."""
    rules = Rules(
        networks={"ci": (ip_network("192.0.2.64/26"),)},
        reserves=(Reserve(50, networks=("ci",)),),
    )
    hub = limited(2, rules)
    for tag in ("second", "third"):
        hub.put_image(REPOSITORY, tag, tag.encode())
    assert get_from(hub, "192.0.2.1", IMAGE, PUBLIC).status() == 200
    hub.asked()
    path = f"/v2/{REPOSITORY}/manifests/second"
    refused = get_from(hub, "192.0.2.1", path, PUBLIC)
    assert refused.status() == 429
    assert "reserved for other clients" in refused.error()["message"]
    assert "Retry-After: 60" in refused.head()
    assert hub.asked() == []
    assert get_from(hub, "192.0.2.1", IMAGE, PUBLIC).status() == 200  # kept
    assert get_from(hub, "192.0.2.65", path, PUBLIC).status() == 200
    assert pulls_of(hub, Dimension.NETWORK) == {"ci": 1}


@pytest.mark.parametrize("value", ["x", "99", "-1;w=21600", ""])
def test_a_limit_that_makes_no_sense_breaks_nothing(value: str) -> None:
    """The pull has come, and counts."""
    hub = limited()
    give = hub.edge.upstream.answer

    def answer(request: Any) -> bytes | int:
        body = give(request)
        request.responseHeaders.setRawHeaders("ratelimit-remaining", [value])
        return body

    hub.edge.upstream.answer = answer
    assert hub.get(IMAGE, PUBLIC, ACCEPT).status() == 200
    assert remaining(hub) == {}
    assert len(hub.edge.quota.pulls.latest()) == 1
