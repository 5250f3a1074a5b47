"""How the quota stands, as lines."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.cli.operating.quota_lines import WIDTH, quota_lines
from tests.cli.operating.quota_status import LATELY, account, status

NOW = datetime.fromtimestamp(LATELY, timezone.utc)
#: What is not known at rest.
LIVE = ("minute", "forecast", "hub", "upstream", "fetches", "login")


def lines(**changes: Any) -> list[str]:
    """What is said of a status."""
    return quota_lines(status(**changes), NOW)


def text(**changes: Any) -> str:
    """The same in one piece, its white space made simple."""
    return " ".join(" ".join(lines(**changes)).split())


def test_all_is_well() -> None:
    """The gauge, and what the page has in its first rows."""
    found = lines()
    assert found[:14] == [
        "All is well: upstream answers, and the day will last.",
        "",
        "The day      [##########::::::::......................] 25 % of the day spent",
        "             25,000 of 100,000 requests, 75,000 left",
        "             ends at 45 %; starts anew at 00:00 UTC",
        "This minute  12 of 1,000 requests",
        "Outcomes     hit 80 %, stale 10 %, miss 10 %, refused 0 %, error 0 %",
        "Hit ratio    93 % of today's manifests and layers",
        "Pulls        1,234 saved, 56 made",
        "Bytes        5.0 GiB to clients, 1.0 GiB from upstream",
        "Docker Hub   76 of 100 left in 6 h, last at this rate (203.0.113.9)",
        "Upstream     up, registry-1.docker.io",
        "",
        "Reserves     [#####...............] 5,000 of 20,000, production",
    ]
    assert found[14] == "Fetches      1.0 MiB of 4.0 MiB, 2 readers, library/busybox 0123456789ab"


def test_lists() -> None:
    """The busiest, with numbers in columns."""
    found = [line.split() for line in lines()]
    at = found.index(["CLIENTS", "TODAY", "REQUESTS", "REFUSED", "SENT"])
    assert found[at + 1] == ["192.0.2.1", "(ci)", "1,200", "3", "5.0", "MiB"]
    assert ["IMAGES", "TODAY", "REQUESTS", "PULLS", "SENT"] in found
    assert ["library/busybox", "1,200", "4", "5.0", "MiB"] in found
    assert ["alice", "1,200", "3", "5.0", "MiB"] in found


def test_lists_are_short() -> None:
    """Eight of each; an empty one is not there."""
    many = [account(client=f"192.0.2.{number}", network=None) for number in range(10)]
    told = text(clients=many, users=[])
    assert "192.0.2.7" in told
    assert "192.0.2.8" not in told
    assert "USERS" not in told


def test_no_limit() -> None:
    """Nothing to fill a gauge with."""
    told = text(limit=None, remaining=None, minute={"limit": None, "used": 5, "remaining": None})
    assert "The day 25,000 requests today, no limit ends at about 45,678;" in told
    assert "This minute 5 requests" in told
    assert "[##" not in told.partition("Reserves")[0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"used": 100_000, "remaining": 0},
            "The day is spent: until 00:00 UTC only what is kept is served.",
        ),
        (
            {"used": 100_000, "remaining": 0, "on_exhausted": "refuse"},
            "The day is spent: until 00:00 UTC every request is refused.",
        ),
        (
            {
                "forecast": {
                    "used_at_reset": 120_000,
                    "exhausted_at": "2026-01-01T18:20:00Z",
                }
            },
            "At this rate the day is spent before it ends.",
        ),
        ({"minute": {"limit": 5, "used": 5, "remaining": 0}}, "This minute is spent."),
        (
            {"login": {"ok": False, "message": "the password is wrong"}},
            "The mirror's account upstream does not work: the password is wrong",
        ),
        (
            {
                "upstream": {
                    "url": "https://x",
                    "is_up": False,
                    "since": "2026-01-01T12:00:00Z",
                    "outages": [{"host": "x", "since": "2026-01-01T12:00:00Z"}],
                }
            },
            "Upstream has been down since 12:00 UTC: what is kept is served on.",
        ),
    ],
)
def test_problems(changes: dict[str, Any], sentence: str) -> None:
    """The first line tells, in the page's words."""
    told = text(**changes)
    assert told.startswith(sentence)
    assert "All is well" not in told


def test_when_the_day_runs_out() -> None:
    """The gauge's forecast is full then."""
    told = text(forecast={"used_at_reset": 1, "exhausted_at": "2026-01-01T18:20:00Z"})
    assert "runs out at 18:20 UTC; starts anew at 00:00 UTC" in told
    assert "spent until 00:00 UTC;" in text(used=100_001, remaining=0)


@pytest.mark.parametrize(
    ("remaining", "exhausted_at", "told", "sentence"),
    [
        (0, None, "0 of 100 left in 6 h, used up (alice)", "Docker Hub's pulls are used up."),
        (
            9,
            "2026-01-01T13:00:00Z",
            "9 of 100 left in 6 h, run out at 13:00 UTC (alice)",
            "At this rate Docker Hub's pulls run out.",
        ),
    ],
)
def test_docker_hubs_limit(
    remaining: int, exhausted_at: str | None, told: str, sentence: str
) -> None:
    """By who pays."""
    limit = {
        **status()["hub"]["limits"][0],
        "payer": "alice",
        "remaining": remaining,
        "exhausted_at": exhausted_at,
    }
    found = text(hub={"limits": [limit], "pulls": []})
    assert f"Docker Hub {told}" in found
    assert found.startswith(sentence)
    assert "Docker Hub told with the first pull" in text(hub={"limits": [], "pulls": []})


def test_an_outage() -> None:
    """Each host that is down."""
    outages = [{"host": "auth.docker.io", "since": "2026-01-01T12:00:00Z"}]
    told = text(upstream={"url": "https://x", "is_up": True, "since": None, "outages": outages})
    assert "Upstream up, x auth.docker.io down since 12:00 UTC" in told


def test_fetches() -> None:
    """Whose a layer is may not be known, nor how long it is; many are summed."""
    fetch = {
        **status()["fetches"][0],
        "repository": None,
        "size": None,
        "readers": 1,
    }
    told = text(fetches=[fetch] * 10)
    assert "Fetches 1.0 MiB, 1 reader, a layer 0123456789ab" in told
    assert "and 2 more" in told


def test_at_rest() -> None:
    """What only a daemon knows is left out."""
    known = {key: value for key, value in status().items() if key not in LIVE}
    found = quota_lines(known, NOW)
    assert found[0].startswith("No daemon runs")
    assert "             starts anew at 00:00 UTC" in found
    titles = {line[:13].strip() for line in found}
    assert not titles & {"This minute", "Docker Hub", "Upstream", "Fetches"}
    assert {"The day", "Outcomes", "Hit ratio", "Reserves"} <= titles


def test_nothing_yet() -> None:
    """Neither is divided by nothing."""
    today = {**status()["today"], "requests": 0}
    told = text(today=today, hit_ratio=None, reserves=[{"name": "a", "size": 0, "used": 0}])
    assert "Outcomes none yet today" in told
    assert "Hit ratio nothing asked for yet today" in told


@given(st.text(min_size=1) | st.just("\x1b]0;x\x07\n"), st.integers(0, 10**15))
def test_hostile_names(name: str, number: int) -> None:
    """Whatever a client is called, lines are of visible ASCII and fit."""
    spent = dict.fromkeys(("requests", "refused", "bytes_in", "bytes_out", "pulls"), number)
    found = lines(
        used=number,
        clients=[{"client": name, "network": name, **spent}],
        users=[{"user": name, **spent}],
        repositories=[{"repository": name, **spent}],
        reserves=[{"name": name, "size": number, "used": number}],
        login={"ok": False, "message": name},
        fetches=[{**status()["fetches"][0], "repository": name, "digest": name}],
        hub={
            "limits": [{**status()["hub"]["limits"][0], "payer": name, "source": name}],
            "pulls": [],
        },
        upstream={"url": f"https://{name}", "is_up": True, "since": None, "outages": []},
    )
    assert max(map(len, found)) <= WIDTH
    assert re.fullmatch(r"[ -~]*", "".join(found))
