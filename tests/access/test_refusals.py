"""Tests of what a client is told that may not."""

from __future__ import annotations

from hubmirror.access.refusals import blocked, busy, slow_down, to_log_in, wrong_login
from hubmirror.upstream.challenge import parse_challenges


def test_the_challenge_is_one() -> None:
    """As the parser of challenges reads it, so that the edge can put its realm in."""
    error = to_log_in("repository:a/b:pull", error="insufficient_scope")
    (challenge,) = parse_challenges([error.headers["WWW-Authenticate"]])
    assert challenge.is_scheme("Bearer")
    assert challenge.parameter("service") == "hubmirror"
    assert challenge.parameter("scope") == "repository:a/b:pull"
    assert challenge.parameter("error") == "insufficient_scope"
    assert error.status == 401


def test_a_login_is_asked_for_by_basic() -> None:
    for is_shown in (True, False):
        (challenge,) = parse_challenges(
            [wrong_login(is_shown=is_shown).headers["WWW-Authenticate"]]
        )
        assert challenge.is_scheme("Basic")


def test_when_to_come_back() -> None:
    assert slow_down(7).headers == {"Retry-After": "7"}
    assert busy().headers == {"Retry-After": "1"}


def test_a_block_has_its_message_or_says_that_it_is_one() -> None:
    assert blocked("ask the platform team").message == "ask the platform team"
    assert "blocks" in blocked("").message
