"""Whether what one remembers is still so: one contract for both forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from hubmirror.coordination.board import STRIPES, Board
from hubmirror.coordination.versions import BoardVersions, IVersions, Versions
from hubmirror.naming import Repository
from tests.coordination.other_process import other_process

KEYS = ["a", ("tag", Repository("docker.io", "library/busybox"), "latest"), ("row", 7), "\udcff"]


@frozen
class Pair:
    """Who tells of changes, and who looks: one and the same within a process."""

    teller: IVersions
    looker: IVersions


def in_process(_path: Path) -> Pair:
    """One object for both."""
    versions = Versions()
    return Pair(versions, versions)


def one_board(path: Path) -> Pair:
    """One process's view of a board."""
    versions = BoardVersions(Board(path))
    return Pair(versions, versions)


def two_boards(path: Path) -> Pair:
    """Two views of one file, as two processes have them."""
    return Pair(BoardVersions(Board(path)), BoardVersions(Board(path)))


@pytest.fixture(params=[in_process, one_board, two_boards])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    """Of each form."""
    make: Callable[[Path], Pair] = request.param
    return make(tmp_path / "board")


class TestContract:
    """What holds for every form."""

    def test_provides_the_interface(self, pair: Pair) -> None:
        """Signatures are those of ``IVersions``."""
        assert verifyObject(IVersions, pair.teller)

    def test_what_stays_looks_so(self, pair: Pair) -> None:
        """Two looks tell the same while nothing changes."""
        for key in KEYS:
            place = pair.looker.place(key)
            assert pair.looker.at(place) == pair.looker.at(place)

    def test_who_tells_and_who_looks_agree_on_places(self, pair: Pair) -> None:
        """Equal keys have one place, whoever asks."""
        assert [pair.teller.place(key) for key in KEYS] == [pair.looker.place(key) for key in KEYS]

    def test_a_change_shows_at_once(self, pair: Pair) -> None:
        """And the next one again."""
        for key in KEYS:
            seen = {pair.looker.at(pair.looker.place(key))}
            for _ in range(5):
                pair.teller.changed(key)
                seen.add(pair.looker.at(pair.looker.place(key)))
            assert len(seen) == 6

    def test_others_stay(self, pair: Pair) -> None:
        """But for those few that share the place."""
        places = [pair.looker.place(("key", number)) for number in range(1000)]
        assert len(set(places)) > 800
        before = [pair.looker.at(place) for place in places]
        pair.teller.changed(("key", 0))
        after = [pair.looker.at(place) for place in places]
        moved = {place for place, old, new in zip(places, before, after, strict=True) if old != new}
        assert moved == {places[0]}

    def test_all_may_have_changed(self, pair: Pair) -> None:
        """Then nothing looks as it did."""
        before = [pair.looker.at(place) for place in range(STRIPES)]
        pair.teller.all_changed()
        after = [pair.looker.at(place) for place in range(STRIPES)]
        assert all(old != new for old, new in zip(before, after, strict=True))


@given(st.lists(st.one_of(st.integers(0, 9), st.none()), min_size=1))
def test_no_version_comes_back(changes: list[int | None]) -> None:
    """Whatever changes, of one key or of all: what was remembered before stays outdated."""
    versions = Versions()
    seen = {key: [versions.at(versions.place(key))] for key in range(10)}
    for change in changes:
        if change is None:
            versions.all_changed()
        else:
            versions.changed(change)
        for key in seen if change is None else [change]:
            now = versions.at(versions.place(key))
            assert now not in seen[key]
            seen[key].append(now)


def test_versions_outlive_who_tells(tmp_path: Path) -> None:
    """One that starts anew does not tell what an earlier one has told."""
    path = tmp_path / "board"
    looker = BoardVersions(Board(path))
    BoardVersions(Board(path)).changed("key")
    before = looker.at(looker.place("key"))
    BoardVersions(Board(path)).changed("key")
    assert looker.at(looker.place("key")) != before


def test_another_process_tells(tmp_path: Path) -> None:
    """What it changes while this one looks is seen, and never goes back meanwhile."""
    path = tmp_path / "board"
    looker = BoardVersions(Board(path))
    place = looker.place(("tag", "busybox"))
    with other_process(path) as other:
        first = looker.at(place)
        other.begin(
            "v = BoardVersions(board); [v.changed(('tag', 'busybox')) for _ in range(20_000)]"
        )
        seen = [first]
        while seen[-1] < first + 20_000:
            seen.append(looker.at(place))
        other.wait()
        assert seen == sorted(seen)
        other.do("v.all_changed()")
        assert looker.at(place) == first + 20_001
