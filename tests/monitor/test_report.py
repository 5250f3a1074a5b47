"""The mirror as it stands now."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import pytest

from hubmirror.fetching.fetch import FetchStatus
from hubmirror.naming import Repository, Tag
from hubmirror.question import Client, ManifestRequest, Outcome, Ping, Question
from hubmirror.quota.pulls import OURS
from hubmirror.quota.rules import Reserve, Rules
from hubmirror.quota.spender import Spender
from hubmirror.tokens.credentials import LoginStatus
from hubmirror.upstream.breaker import BreakerStatus
from hubmirror.upstream.url import Origin
from tests.monitor.watching import DIGEST, Watched

NETWORKS = {"ci": (ip_network("192.0.2.0/24"),)}
REPOSITORY = Repository("docker.io", "library/busybox")
PING = Ping()
PULL = ManifestRequest(REPOSITORY, Tag("latest"))


def admit(watched: Watched, subject: Any = PING, address: str = "192.0.2.1") -> None:
    """One request, answered from what is kept."""
    question = Question("GET", subject, Client(address, ""))
    watched.quota.admit(question, user="alice").settle(Outcome.HIT)


def busy() -> Watched:
    """A mirror of which there is everything to tell."""
    watched = Watched(
        Rules(100, 10, networks=NETWORKS, reserves=(Reserve(20, ("ci",), ("bob",)),)),
        login=LoginStatus(False, "https://registry.example refuses bob"),
    )
    admit(watched)
    admit(watched, PULL)
    pulls, spender = watched.quota.pulls, Spender("192.0.2.1", "ci", "alice")
    pulls.observe("alice", "200;w=21600", "150;w=21600", "alice")
    pulls.observe(OURS, "100;w=21600", "76;w=21600", "203.0.113.9")
    watched.quota.pulled(spender, Question("GET", PULL, Client("192.0.2.1", "")))
    watched.outages += [
        BreakerStatus(Origin("https", "cdn.example", 443), watched.now() - 90, 0),
        BreakerStatus(Origin("https", "registry.example", 443), watched.now() - 60, 0),
    ]
    watched.fetches.append(FetchStatus(DIGEST, size=100, have=40, readers=2, connections=1))
    watched.repositories[DIGEST] = [Repository("docker.io", "a/b"), REPOSITORY]
    return watched


def test_an_idle_mirror_without_limits() -> None:
    """All is there, and null where there is nothing to tell."""
    watched = Watched()
    told = watched.reporter.now(names=True)
    assert told == {
        "limit": None,
        "used": 0,
        "remaining": None,
        "reset": "2024-10-05T00:00:00Z",
        "on_exhausted": "cache-only",
        "minute": {"limit": None, "used": 0, "remaining": None, "reset": "2024-10-04T12:01:00Z"},
        "forecast": {"used_at_reset": 0, "exhausted_at": None},
        "today": told["today"],
        "hit_ratio": None,
        "reserves": [],
        "clients": [],
        "networks": [],
        "users": [],
        "repositories": [],
        "hub": {"limits": [], "pulls": []},
        "upstream": {
            "url": "https://registry.example",
            "is_up": True,
            "since": None,
            "outages": [],
        },
        "fetches": [],
    }


def test_the_windows() -> None:
    """The day's, the minute's, and where the day is heading."""
    told = busy().reporter.now(names=True)
    day = {name: told[name] for name in ("limit", "used", "remaining", "reset")}
    assert day == {"limit": 100, "used": 2, "remaining": 98, "reset": "2024-10-05T00:00:00Z"}
    assert told["minute"] == {
        "limit": 10,
        "used": 2,
        "remaining": 8,
        "reset": "2024-10-04T12:01:00Z",
    }
    assert told["forecast"] == {"used_at_reset": 1440, "exhausted_at": "2024-10-04T12:50:00Z"}
    assert told["reserves"] == [{"name": "ci, bob", "size": 20, "used": 2}]


def test_today() -> None:
    """What was counted."""
    told: Any = busy().reporter.now(names=False)
    assert (told["today"]["requests"], told["today"]["pulls"]) == (2, 1)
    assert told["today"]["by_kind"]["manifest_get"] == 1
    assert told["hit_ratio"] == 1.0


def test_the_busiest() -> None:
    """Clients with their networks; ten of each at most."""
    told: Any = busy().reporter.now(names=True)
    counted = {"requests": 2, "refused": 0, "bytes_in": 0, "bytes_out": 0, "pulls": 1}
    assert told["clients"] == [{"client": "192.0.2.1", "network": "ci", **counted}]
    assert told["networks"] == [{"network": "ci", **counted}]
    assert [(one["user"], one["requests"]) for one in told["users"]] == [("alice", 2)]
    assert told["repositories"][0]["repository"] == "library/busybox"
    crowded = Watched()
    for number in range(12):
        admit(crowded, address=f"198.51.100.{number}")
    told = crowded.reporter.now(names=True)
    assert len(told["clients"]) == 10
    assert told["clients"][0]["network"] is None


def test_docker_hubs_own_limit() -> None:
    """Ours first."""
    watched = busy()
    told: Any = watched.reporter.now(names=True)["hub"]
    ours, hers = told["limits"]
    assert ours | {"exhausted_at": None} == {
        "payer": "",
        "source": "203.0.113.9",
        "limit": 100,
        "remaining": 76,
        "window": 21600,
        "seen": "2024-10-04T12:00:00Z",
        "exhausted_at": None,
    }
    assert (hers["payer"], hers["remaining"]) == ("alice", 150)
    pulled = {"at": "2024-10-04T12:00:00Z", "client": "192.0.2.1"}
    assert told["pulls"] == [{**pulled, "image": "library/busybox:latest"}]


def test_ours_is_told_of_however_many_there_are() -> None:
    """Of the others, those that were heard of last."""
    watched = Watched()
    for payer in (OURS, *(f"user{number}" for number in range(20))):
        watched.quota.pulls.observe(payer, "100;w=60", "76;w=60", None)
    told: Any = watched.reporter.now(names=True)["hub"]
    assert [one["payer"] for one in told["limits"]][:3] == ["", "user19", "user18"]
    assert len(told["limits"]) == 10


def test_the_upstream() -> None:
    """Its own outage is told apart from those of other hosts."""
    watched = busy()
    told: Any = watched.reporter.now(names=True)["upstream"]
    assert told["outages"] == [
        {"host": "cdn.example", "since": "2024-10-04T11:58:30Z"},
        {"host": "registry.example", "since": "2024-10-04T11:59:00Z"},
    ]
    assert (told["is_up"], told["since"]) == (False, "2024-10-04T11:59:00Z")
    del watched.outages[1]
    told = watched.reporter.now(names=True)["upstream"]
    assert (told["is_up"], told["since"]) == (True, None)


def test_fetches() -> None:
    """How far each is, and for whom; a blob of several repositories is told under one."""
    watched = busy()
    fetches: Any = watched.reporter.now(names=True)["fetches"]
    told = {"digest": str(DIGEST), "size": 100, "kept": 40, "readers": 2}
    assert fetches == [{**told, "repository": "a/b"}]
    watched.repositories.clear()
    fetches = watched.reporter.now(names=True)["fetches"]
    assert fetches == [{**told, "repository": None}]


def test_the_login() -> None:
    """Only where the mirror has one."""
    told = busy().reporter.now(names=True)
    assert told["login"] == {"ok": False, "message": "https://registry.example refuses bob"}


def test_the_numbers_name_nobody() -> None:
    """All that could tell who, what or where is out; the numbers are the same."""
    watched = busy()
    numbers, everything = (watched.reporter.now(names=names) for names in (False, True))
    text = json.dumps(numbers)
    for name in (
        "192.0.2",
        "203.0.113",
        "ci",
        "alice",
        "bob",
        "busybox",
        "sha256",
        "://",
        "example",
    ):
        assert name not in text.replace("cache-only", ""), name
    assert set(everything) - set(numbers) == {
        *("reserves", "clients", "networks", "users", "repositories", "login"),
    }
    assert numbers == pruned(everything)


def pruned(told: dict[str, Any]) -> dict[str, Any]:
    """What a public reader gets of ``told``."""
    hub = [
        {k: v for k, v in one.items() if k not in ("payer", "source")}
        for one in told["hub"]["limits"]
    ]
    fetches = [
        {k: v for k, v in one.items() if k not in ("digest", "repository")}
        for one in told["fetches"]
    ]
    upstream = {name: told["upstream"][name] for name in ("is_up", "since")}
    left = ("reserves", "clients", "networks", "users", "repositories", "login")
    rest = {name: value for name, value in told.items() if name not in left}
    return rest | {"hub": {"limits": hub}, "fetches": fetches, "upstream": upstream}


@pytest.mark.parametrize("names", [True, False])
def test_it_is_json(names: bool) -> None:
    """On one line, as an event has it."""
    assert "\n" not in json.dumps(busy().reporter.now(names=names), allow_nan=False)
