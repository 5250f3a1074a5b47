"""The mirror's own account: when its login may be tried, and what is said of it."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from hubmirror.tokens.credentials import Account, LoginRefused


@pytest.fixture
def clock() -> Clock:
    return Clock()


def account(clock: Clock) -> Account:
    """An account whose wall clock is a hundred seconds ahead of the reactor's."""
    return Account(("me", "s3cret:ü"), clock, lambda: 100 + clock.seconds())


def test_its_authorization_is_basic(clock: Clock) -> None:
    """User and password in UTF-8 (RFC 7617), for the wire alone."""
    ours = account(clock)
    assert ours.authorization == "Basic bWU6czNjcmV0OsO8"
    assert "s3cret" not in repr(ours)


def test_untried(clock: Clock) -> None:
    """Nobody knows, and anybody may try."""
    ours = account(clock)
    ours.admit()
    assert ours.status().ok is None
    assert not ours.is_proven


def test_refused_and_accepted(clock: Clock) -> None:
    """A refusal closes the door for a while; what is accepted begins at a second again."""
    ours = account(clock)
    for wait in (1, 2, 4):
        ours.refused("auth.example", 401)
        with pytest.raises(LoginRefused) as caught:
            ours.admit()
        assert caught.value.headers == {"Retry-After": str(wait)}
        assert ours.status().next_try == 100 + clock.seconds() + wait
        clock.advance(wait)
        ours.admit()
    ours.accepted("auth.example")
    assert (ours.status().ok, ours.status().next_try) == (True, None)
    ours.refused("auth.example", 401)
    assert ours.status().next_try == 100 + clock.seconds() + 1


def test_refused_for_ever(clock: Clock) -> None:
    """However often, the wait is ten minutes at most."""
    ours = account(clock)
    for _ in range(5000):
        ours.refused("auth.example", 403)
    assert ours.status().next_try == 100 + 600


def test_one_try_at_a_time(clock: Clock) -> None:
    """While one is under way after a refusal, no other begins; after it, one may."""
    ours = account(clock)
    with ours.trying():
        ours.admit()
    ours.refused("auth.example", 401)
    clock.advance(1)
    with ours.trying(), pytest.raises(LoginRefused):
        ours.admit()
    ours.admit()


def test_doubt(clock: Clock) -> None:
    """A proven login that is in doubt is tried anew; that is no refusal yet."""
    ours = account(clock)
    ours.accepted("auth.example")
    ours.doubt()
    ours.admit()
    assert not ours.is_proven
    assert ours.status().ok is None
