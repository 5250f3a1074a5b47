"""A set of keys that one tells of: it may seem to hold more, and never less."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubmirror.coordination.board import MARKED, Board
from hubmirror.coordination.marks import Marks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the board is."""
    return tmp_path / "board"


def keys(first: int, count: int) -> list[bytes]:
    """So many keys, each unlike all others."""
    return [b"key %d" % number for number in range(first, first + count)]


def test_others_see_what_is_marked(path: Path) -> None:
    """At once; and what was not marked is not found."""
    teller, looker = Marks(Board(path)), Marks(Board(path))
    assert not looker.has(b"key")
    teller.mark(b"key")
    assert looker.has(b"key")
    assert not looker.has(b"other")


def test_a_key_is_found_until_so_many_others_were_marked(path: Path) -> None:
    """As many as ``MARKED // 16``, wherever in a turn it was marked."""
    teller, looker = Marks(Board(path)), Marks(Board(path))
    turn = MARKED // 16
    for marked, before in enumerate((0, turn // 2, turn - 1, turn)):
        key = b"looked for %d" % marked
        for one in keys(marked * 1_000_000, before):
            teller.mark(one)
        teller.mark(key)
        for one in keys(marked * 1_000_000 + 500_000, turn - 1):
            teller.mark(one)
        assert looker.has(key)


def test_old_ones_go(path: Path) -> None:
    """So that it never fills up: of what was not marked lately, few seem to be."""
    marks = Marks(Board(path))
    for key in keys(0, 5 * (MARKED // 16)):
        marks.mark(key)
    wrong = sum(marks.has(key) for key in keys(10_000_000, 10_000))
    assert wrong < 2_000
    gone = sum(not marks.has(key) for key in keys(0, 10_000))
    assert gone > 8_000


def test_nothing_is_marked_when_it_is_cleared(path: Path) -> None:
    """In either half: who starts anew knows none of them."""
    marks = Marks(Board(path))
    some = [b"first", *keys(0, MARKED // 16), b"second"]
    for key in some:
        marks.mark(key)
    looker = Marks(Board(path))
    assert looker.has(b"first")
    assert looker.has(b"second")
    Marks(Board(path)).clear()
    assert not any(looker.has(key) for key in some)
    marks.mark(b"first")
    assert looker.has(b"first")


def test_a_key_is_not_on_the_board(path: Path) -> None:
    """What is there tells nothing of a token but that it was seen."""
    Marks(Board(path)).mark(b"a secret token")
    page = path.read_bytes()
    assert b"secret" not in page
    assert sum(one.bit_count() for one in Board(path).marks) == 1
