"""Whose a token is."""

from __future__ import annotations

from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from hubmirror.coordination.board import Board
from hubmirror.coordination.marks import Marks
from hubmirror.tokens.holders import Holders, IHolders, MarkedHolders


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


class Elsewhere(Exception):
    """Another process may know."""


class Processes:
    """One that learns, and one that sees what it has marked."""

    def __init__(self, path: Path) -> None:
        self.learned = Holders(lambda: 0.0, marks=Marks(Board(path)))
        self.marked = MarkedHolders(Marks(Board(path)), Elsewhere)


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    """Two over one board."""
    return Processes(tmp_path / "board")


def test_marked_holders_provide_the_interface(processes: Processes) -> None:
    """They stand in the place of any."""
    assert verifyObject(IHolders, processes.marked)


@pytest.mark.parametrize("authorization", ["Bearer t", "bearer t", "BEARER  t ", "Bearer t "])
def test_a_marked_token_is_for_another_process(processes: Processes, authorization: str) -> None:
    """Whose it is, that one knows: it is not nobody's, however it is shown."""
    assert processes.marked.user_of(authorization) is None
    processes.learned.learn("t", "alice", 300)
    with pytest.raises(Elsewhere):
        processes.marked.user_of(authorization)
    assert processes.learned.user_of(authorization) == "alice"


@pytest.mark.parametrize(
    "authorization", [None, "", "t", "Basic t", "Bearer", "Bearer T", "Bearer tt", "Bearer \udcff"]
)
def test_what_is_not_marked_is_nobodys(processes: Processes, authorization: str | None) -> None:
    """As where nothing was learned."""
    processes.learned.learn("t", "alice", 300)
    assert processes.marked.user_of(authorization) is None


def test_any_text_can_be_marked(processes: Processes) -> None:
    """A token is whatever came."""
    processes.learned.learn("\udcff", "alice", 300)
    with pytest.raises(Elsewhere):
        processes.marked.user_of("Bearer \udcff")


def test_a_token_is_marked_for_longer_than_it_lives(processes: Processes) -> None:
    """Then the other process says that it is nobody's: one look too many does no harm."""
    processes.learned.learn("t", "alice", -1)
    assert processes.learned.user_of("Bearer t") is None
    with pytest.raises(Elsewhere):
        processes.marked.user_of("Bearer t")
