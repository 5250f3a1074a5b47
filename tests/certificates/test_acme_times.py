"""When to renew, and when to try again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hubmirror.certificates.acme_times import LEAST_PAUSE, Suggestion, pause_after, renewal_of
from tests.certificates.making import NOW, make

LEAF = make(begins=NOW, ends=NOW + timedelta(days=90)).certificate


def suggestion(days: float) -> Suggestion:
    """Of a server that would have ``LEAF`` renewed after so many days."""
    return Suggestion(NOW + timedelta(days=days), NOW)


def test_two_thirds_of_its_life_without_a_suggestion() -> None:
    """Neither one that says nothing, nor one beyond its end."""
    for none in (None, Suggestion(None, NOW), suggestion(90), suggestion(400)):
        assert renewal_of(LEAF, none) == NOW + timedelta(days=60)


@pytest.mark.parametrize("days", [-1, 3, 80])
def test_the_server_knows_better(days: float) -> None:
    """Sooner, as before it is revoked, or later."""
    assert renewal_of(LEAF, suggestion(days)) == NOW + timedelta(days=days)


def test_tries_less_and_less_often() -> None:
    """Not more than five times in the first hour, and every six hours in the end."""
    pauses = [pause_after(failures, 0.5) for failures in range(1, 12)]
    assert pauses == sorted(pauses)
    assert sum(pauses[:4]) < 3600 <= sum(pauses[:5])
    assert pauses[-1] == 6 * 3600


def test_no_two_come_at_the_same_moment() -> None:
    """A fifth more or less, by chance."""
    assert pause_after(2, 0.0) == pytest.approx(240)
    assert pause_after(2, 1.0) == pytest.approx(360)
    assert pause_after(1, 0.0) == pytest.approx(LEAST_PAUSE)


def test_a_server_is_left_alone_as_long_as_it_wants() -> None:
    """But for a day at most."""
    assert pause_after(1, 0.5, asked=7200) == 7200
    assert pause_after(1, 0.5, asked=1) == 10
    assert pause_after(1, 0.5, asked=10**9) == 86400


def test_hurries_near_the_end() -> None:
    """An hour is the longest pause once a tenth of its life is left."""
    life = timedelta(days=90)
    assert pause_after(9, 0.5, left=timedelta(days=10), life=life) == 6 * 3600
    assert pause_after(9, 0.5, left=timedelta(days=8), life=life) == 3600
    assert pause_after(9, 0.5, left=timedelta(days=-8), life=life) == 3600
