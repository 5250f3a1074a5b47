"""Whose a token is."""

from __future__ import annotations

import pytest

from hubmirror.tokens.holders import Holders


class Times:
    """The time, to be set."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_is_known_for_its_life() -> None:
    """Then it is nobody's: the upstream refuses it anyhow."""
    times = Times()
    holders = Holders(times)
    holders.learn("t", "alice", 300)
    times.now += 299
    assert holders.user_of("Bearer t") == "alice"
    times.now += 1
    assert holders.user_of("Bearer t") is None


@pytest.mark.parametrize("authorization", ["Bearer t", "bearer t", "BEARER  t ", "Bearer t "])
def test_the_scheme_is_of_any_case(authorization: str) -> None:
    """RFC 9110, section 11.1."""
    holders = Holders(lambda: 0.0)
    holders.learn("t", "alice", 300)
    assert holders.user_of(authorization) == "alice"


@pytest.mark.parametrize(
    "authorization", [None, "", "t", "Basic t", "Bearer", "Bearer T", "Bearer tt", "Bearer \udcff"]
)
def test_anything_else_is_nobodys(authorization: str | None) -> None:
    """A token is known by all of it."""
    holders = Holders(lambda: 0.0)
    holders.learn("t", "alice", 300)
    assert holders.user_of(authorization) is None


def test_the_latest_word_counts() -> None:
    """A token that was given again is that user's, and for longer."""
    times = Times()
    holders = Holders(times)
    holders.learn("t", "alice", 10)
    holders.learn("t", "bob", 300)
    times.now += 100
    assert holders.user_of("Bearer t") == "bob"


def test_the_oldest_are_forgotten() -> None:
    """So that memory does not grow with the tokens of a year."""
    holders = Holders(lambda: 0.0, limit=2)
    for token in ("a", "b", "a", "c"):
        holders.learn(token, token, 300)
    known = [token for token in "abc" if holders.user_of(f"Bearer {token}")]
    assert known == ["a", "c"]


def test_no_token_is_kept() -> None:
    """Who reads the memory of this object finds hashes under a key of its own."""
    first, second = Holders(lambda: 0.0), Holders(lambda: 0.0)
    for holders in (first, second):
        holders.learn("secret-token", "alice", 300)
    assert "secret-token" not in repr(vars(first))
    assert vars(first)["_users"].keys() != vars(second)["_users"].keys()
