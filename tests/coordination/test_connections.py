"""How many connections are open: one contract for both forms, and what workers see of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from hubmirror.coordination.board import CLIENT_SLOTS, Board
from hubmirror.coordination.connections import BoardConnections, Connections, IConnections
from tests.coordination.other_process import other_process

CLIENTS = ["192.0.2.1", "2001:db8::/64", "", "\udcff"]

#: Who counts: all of a list share what they count, and a change may come by any.
Everybody = list[IConnections]


def in_process(_path: Path) -> Everybody:
    """One process alone."""
    return [Connections()]


def alone(path: Path) -> Everybody:
    """One worker."""
    return [BoardConnections(Board(path), 1)]


def one_board(path: Path) -> Everybody:
    """Three workers' seats in one view."""
    board = Board(path)
    return [BoardConnections(board, seat) for seat in (1, 2, 5)]


def boards(path: Path) -> Everybody:
    """Three views of one file, as three processes have them."""
    return [BoardConnections(Board(path), seat) for seat in (0, 1, 31)]


@pytest.fixture(params=[in_process, alone, one_board, boards])
def everybody(request: pytest.FixtureRequest, tmp_path: Path) -> Everybody:
    """Of each form."""
    make: Callable[[Path], Everybody] = request.param
    return make(tmp_path / "board")


class TestContract:
    """What holds for every form, whoever tells and whoever asks."""

    def test_provides_the_interface(self, everybody: Everybody) -> None:
        """Signatures are those of ``IConnections``."""
        assert all(verifyObject(IConnections, one) for one in everybody)

    def test_begins_without_any(self, everybody: Everybody) -> None:
        """And nobody has one."""
        for one in everybody:
            assert one.total() == 0
            assert [one.of(client) for client in CLIENTS] == [0] * len(CLIENTS)

    def test_all_see_all(self, everybody: Everybody) -> None:
        """A client's connections count wherever they are."""
        for number, client in enumerate(CLIENTS, 1):
            for one in everybody:
                for _ in range(number):
                    one.opened(client)
        for one in everybody:
            told = [one.of(client) for client in CLIENTS]
            assert told == [number * len(everybody) for number in range(1, len(CLIENTS) + 1)]
            assert one.total() == sum(told)

    def test_what_closes_is_gone(self, everybody: Everybody) -> None:
        """Down to none, and up again."""
        for _ in range(3):
            for one in everybody:
                one.opened("client")
                one.opened("client")
            for one in everybody:
                one.closed("client")
            assert {one.of("client") for one in everybody} == {len(everybody)}
            for one in everybody:
                one.closed("client")
            assert {(one.of("client"), one.total()) for one in everybody} == {(0, 0)}

    def test_looking_is_no_opening(self, everybody: Everybody) -> None:
        """A client that is only asked about takes no room."""
        for number in range(5000):
            assert everybody[0].of(f"client {number}") == 0
        everybody[-1].opened("client")
        assert everybody[0].of("client") == 1


def follow(changes: list[tuple[int, int]], everybody: Everybody) -> None:
    """Open and close by ``changes`` (who, which client), and compare with a model."""
    open_at: Counter[tuple[int, str]] = Counter()
    for number, (who, client_number) in enumerate(changes):
        client, worker = f"client {client_number}", who % len(everybody)
        if open_at[worker, client] and number % 2:
            everybody[worker].closed(client)
            open_at[worker, client] -= 1
        else:
            everybody[worker].opened(client)
            open_at[worker, client] += 1
        count = sum(many for (_, whose), many in open_at.items() if whose == client)
        for one in everybody:
            assert one.of(client) == count
            assert one.total() == sum(open_at.values())


CHANGES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=60)


@given(CHANGES)
def test_any_order_in_a_process(changes: list[tuple[int, int]]) -> None:
    """Counts are exact at every moment."""
    follow(changes, [Connections()])


@given(CHANGES)
def test_any_order_over_a_board(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    """Counts are exact at every moment, whoever looks."""
    follow(changes, boards(tmp_path_factory.mktemp("board") / "board"))


def test_many_clients_come_and_go(tmp_path: Path) -> None:
    """The places of those that have gone are used again: no client is missed in a year."""
    here, there = boards(tmp_path / "board")[:2]
    for number in range(20 * CLIENT_SLOTS):
        client = f"client {number}"
        here.opened(client)
        assert there.of(client) == 1
        here.closed(client)
        assert there.of(client) == 0
    assert there.total() == 0


def test_where_all_places_are_taken_the_total_is_right(tmp_path: Path) -> None:
    """A client may be known to its own worker only, and never looks like another."""
    here, there = boards(tmp_path / "board")[:2]
    clients = [f"client {number}" for number in range(4 * CLIENT_SLOTS)]
    for client in clients:
        here.opened(client)
    assert here.total() == there.total() == len(clients)
    assert all(here.of(client) == 1 for client in clients)
    seen = [there.of(client) for client in clients]
    assert set(seen) == {0, 1}
    assert sum(seen) > CLIENT_SLOTS // 2
    for client in clients:
        here.closed(client)
    assert there.total() == 0
    assert not any(there.of(client) for client in clients)


def test_who_dies_takes_its_connections(tmp_path: Path) -> None:
    """Its seat is vacated, and whoever sits down there begins with none."""
    path = tmp_path / "board"
    board = Board(path)
    here = BoardConnections(board, 1)
    here.opened("client")
    with other_process(path) as other:
        other.do("c = BoardConnections(board, 2); [c.opened('client') for _ in range(10)]")
        assert (here.of("client"), here.total()) == (11, 11)
        other.kill()
    board.seats[2].vacate()
    assert (here.of("client"), here.total()) == (1, 1)
    heir = BoardConnections(Board(path), 2)
    assert (heir.of("client"), heir.total()) == (1, 1)
    heir.opened("client")
    assert here.of("client") == 2


def test_another_process_counts(tmp_path: Path) -> None:
    """Whenever one looks while it opens and closes, it sees a number that there was or is."""
    path = tmp_path / "board"
    here = BoardConnections(Board(path), 1)
    with other_process(path) as other:
        other.begin(
            "c = BoardConnections(board, 2); [c.opened('client') for _ in range(5_000)];"
            " c.opened('last')"
        )
        counts, totals = [], []
        while not here.of("last"):
            counts.append(here.of("client"))
            totals.append(here.total())
        other.wait()
        assert here.of("client") == 5_000
        # A client's count is missing for a moment while it is written; the total never is.
        assert [count for count in counts if count] == sorted(filter(None, counts))
        assert totals == sorted(totals)
        other.do("[c.closed('client') for _ in range(4_999)]")
        assert (here.of("client"), here.total()) == (1, 2)
