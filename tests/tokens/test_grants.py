"""What clients' credentials were seen to open."""

from __future__ import annotations

import gc
import json
import tracemalloc
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from hubmirror.naming import Repository
from hubmirror.tokens.grants import Grants

EPOCH = 1_700_000_000.0
OURS = Repository("docker.io", "ours/private")
THEIRS = Repository("docker.io", "theirs/private")
ELSEWHERE = Repository("ghcr.io", "ours/private")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock, right_ttl: float = 300, limit: int = 100) -> Grants:
    """Grants that go by ``clock``."""
    return Grants(lambda: EPOCH + clock.seconds(), right_ttl, limit=limit)


def bearer(claims: Any) -> str:
    """A JWT, whatever its claims are; its signature is nobody's."""
    payload = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"Bearer e30.{payload}.c2ln"


def test_a_right_is_of_one_credential_to_one_repository(clock: Clock) -> None:
    """Neither another token, nor another repository, nor another registry has part in it."""
    grants = made(clock)
    grants.learn("Bearer alice", OURS)
    assert grants.allows("Bearer alice", OURS)
    assert not grants.allows("Bearer bob", OURS)
    assert not grants.allows("Bearer alice", THEIRS)
    assert not grants.allows("Bearer alice", ELSEWHERE)
    assert not grants.allows("Bearer alice", THEIRS, in_outage=True)


def test_nobody_has_a_right(clock: Clock) -> None:
    """What is open without a credential is public, which is another matter."""
    grants = made(clock)
    grants.learn(None, OURS)
    grants.forget(None, OURS)
    assert not grants.allows(None, OURS)
    assert not grants.allows(None, OURS, in_outage=True)
    assert not grants.allows("", OURS)


def test_a_right_is_forgotten(clock: Clock) -> None:
    """Revoked upstream, it is gone at once, in an outage too; others stay."""
    grants = made(clock)
    grants.learn("Bearer alice", OURS)
    grants.learn("Bearer alice", THEIRS)
    grants.forget("Bearer alice", OURS)
    grants.forget("Bearer bob", OURS)
    assert not grants.allows("Bearer alice", OURS)
    assert not grants.allows("Bearer alice", OURS, in_outage=True)
    assert grants.allows("Bearer alice", THEIRS)


def test_a_right_needs_a_new_look_after_its_time(clock: Clock) -> None:
    """An outage lends it the rest of the token's life, which a new look prolongs."""
    grants = made(clock, right_ttl=60)
    grants.learn("Bearer opaque", OURS)
    clock.advance(59)
    assert grants.allows("Bearer opaque", OURS)
    clock.advance(1)
    assert not grants.allows("Bearer opaque", OURS)
    assert grants.allows("Bearer opaque", OURS, in_outage=True)
    grants.learn("Bearer opaque", OURS)
    clock.advance(299)
    assert grants.allows("Bearer opaque", OURS, in_outage=True)
    clock.advance(1)
    assert not grants.allows("Bearer opaque", OURS, in_outage=True)


@pytest.mark.parametrize("in_outage", [False, True])
def test_a_token_outlives_nothing(clock: Clock, in_outage: bool) -> None:
    """Its own end, and the one that the caller knows, is the right's: the earlier one."""
    grants = made(clock, right_ttl=3600)
    grants.learn(bearer({"exp": EPOCH + 100}), OURS)
    grants.learn(bearer({"exp": EPOCH + 900}), OURS, until=EPOCH + 100)
    grants.learn(bearer({"exp": EPOCH + 100}), THEIRS, until=EPOCH + 900)
    grants.learn("Bearer opaque", OURS, until=EPOCH + 100)
    rights = [
        (bearer({"exp": EPOCH + 100}), OURS),
        (bearer({"exp": EPOCH + 900}), OURS),
        (bearer({"exp": EPOCH + 100}), THEIRS),
        ("Bearer opaque", OURS),
    ]
    clock.advance(99)
    assert all(grants.allows(*right, in_outage=in_outage) for right in rights)
    clock.advance(1)
    assert not any(grants.allows(*right, in_outage=in_outage) for right in rights)


def test_a_long_life_serves_an_outage(clock: Clock) -> None:
    """As long as the token lives, and no longer than ``right_ttl`` without an outage."""
    grants = made(clock, right_ttl=300)
    token = bearer({"exp": EPOCH + 3600})
    grants.learn(token, OURS)
    clock.advance(3599)
    assert not grants.allows(token, OURS)
    assert grants.allows(token, OURS, in_outage=True)


@pytest.mark.parametrize("exp", [0, -1, EPOCH, -(10**400), float("nan")])
def test_a_dead_token_opens_nothing(clock: Clock, exp: float) -> None:
    """Even where the upstream's clock thinks better of it."""
    grants = made(clock)
    grants.learn(bearer({"exp": exp}), OURS)
    assert not grants.allows(bearer({"exp": exp}), OURS, in_outage=True)


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic YWxpY2U6cHc=",
        "Bearer ..",
        "Bearer a.!.c",
        "Bearer a.____.c",
        "Bearer a.b",
        bearer([]),
        bearer({}),
        bearer({"exp": "soon"}),
        bearer({"exp": True}),
        f"Bearer e30.{urlsafe_b64encode(b'[' * 12_000).decode()}.c",
        f"Bearer e30.{'A' * 100_000}.c",
        "Bearer \ud800",
    ],
    ids=range(12),
)
def test_a_credential_that_tells_no_end(clock: Clock, authorization: str) -> None:
    """It is held to be alive for five minutes after it was last seen to be."""
    grants = made(clock, right_ttl=3600)
    grants.learn(authorization, OURS)
    clock.advance(299)
    assert grants.allows(authorization, OURS, in_outage=True)
    clock.advance(1)
    assert not grants.allows(authorization, OURS, in_outage=True)


@pytest.mark.parametrize("exp", [10**400, float("inf"), 1e300])
def test_an_end_that_is_far_off(clock: Clock, exp: float) -> None:
    """It shortens nothing."""
    grants = made(clock)
    grants.learn(bearer({"exp": exp}), OURS)
    assert grants.allows(bearer({"exp": exp}), OURS)


def test_what_was_used_least_recently_goes_first(clock: Clock) -> None:
    """Using a right keeps it; learning it again, too."""
    grants = made(clock, limit=3)
    for token in ("a", "b", "c"):
        grants.learn(token, OURS)
    assert grants.allows("a", OURS)
    grants.learn("b", OURS)
    grants.learn("d", OURS)
    assert [grants.allows(token, OURS) for token in "abcd"] == [True, True, False, True]


def test_memory_is_bounded(clock: Clock) -> None:
    """A long token costs as much as a short one: the value itself is not kept."""
    grants = made(clock, limit=1000)
    tracemalloc.start()
    try:
        for number in range(3000):
            grants.learn(f"Bearer {number}{'x' * 8000}", OURS)
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 1000 * 1000


@given(st.text(), st.text())
def test_two_credentials_never_share_a_right(one: str, other: str) -> None:
    """Whatever they are made of."""
    grants = made(Clock())
    grants.learn(one, OURS, until=EPOCH + 100)
    assert grants.allows(other, OURS) is (one == other)
