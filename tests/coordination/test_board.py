"""The page that processes share: laid out alike for all, and made where there is none."""

from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hubmirror.coordination.board import CLIENT_SLOTS, COUNTS, MARKED, SEATS, STRIPES, Board


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the board is."""
    return tmp_path / "board"


def test_begins_with_zeros(path: Path) -> None:
    """Nothing has been told, and everything has its room."""
    board = Board(path)
    assert len(board.epoch) == 1
    assert len(board.stripes) == STRIPES
    assert len(board.marks) * 64 == 2 * MARKED
    assert len(board.seats) == SEATS
    parts = [board.epoch, board.stripes, board.marks]
    for seat in board.seats:
        assert len(seat.counts) == len(seat.taken) == COUNTS
        assert len(seat.clients) == 2 * CLIENT_SLOTS
        parts += [seat.lease, seat.counts, seat.taken, seat.clients]
    assert not any(any(part) for part in parts)


def test_no_word_is_anothers(path: Path) -> None:
    """What is written in one part shows in no other."""
    board = Board(path)
    parts = [board.epoch, board.stripes, board.marks]
    for seat in board.seats:
        parts += [seat.lease, seat.counts, seat.taken, seat.clients]
    for number, part in enumerate(parts, 1):
        for place in range(len(part)):
            part[place] = number
    assert [set(part) for part in parts] == [{number} for number in range(1, len(parts) + 1)]
    other = Board(path)
    assert set(other.seats[-1].clients) == {len(parts)}


def test_who_maps_it_sees_what_others_write(path: Path) -> None:
    """At once, both ways."""
    one, other = Board(path), Board(path)
    one.seats[3].counts[7] = 41
    assert other.seats[3].counts[7] == 41
    other.seats[3].counts[7] += 1
    assert one.seats[3].counts[7] == 42


def test_what_it_holds_outlives_who_wrote_it(path: Path) -> None:
    """A process that starts anew goes on with what is there."""
    board = Board(path)
    board.epoch[0], board.stripes[1], board.marks[2] = 5, 6, 7
    del board
    again = Board(path)
    assert (again.epoch[0], again.stripes[1], again.marks[2]) == (5, 6, 7)


def test_a_word_holds_64_bits(path: Path) -> None:
    """Hashes need them all."""
    seat = Board(path).seats[0]
    seat.clients[2] = 2**64 - 1
    assert seat.clients[2] == 2**64 - 1


def test_the_file_is_private_and_has_its_room(path: Path) -> None:
    """Only the owner reads it, and its disk is taken: a store into it can't fail later."""
    Board(path)
    status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_blocks * 512 >= status.st_size


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 4096, b"x" * (1 << 21)])
def test_a_file_of_another_size_is_made_anew(path: Path, content: bytes) -> None:
    """It is no board, whatever it is."""
    path.write_bytes(content)
    board = Board(path)
    assert not any(board.stripes)
    board.stripes[0] = 1
    assert Board(path).stripes[0] == 1


@pytest.mark.parametrize("word", [0, 1], ids=["magic", "layout"])
def test_a_file_of_another_layout_is_made_anew(path: Path, word: int) -> None:
    """A newer program's words are not misread."""
    board = Board(path)
    board.stripes[0] = board.seats[-1].taken[0] = 9
    page = bytearray(path.read_bytes())
    page[8 * word] ^= 0xFF
    path.write_bytes(page)
    again = Board(path)
    assert (again.stripes[0], again.seats[-1].taken[0]) == (0, 0)
    again.stripes[0] = 3
    assert Board(path).stripes[0] == 3


def test_who_leaves_a_seat_takes_its_connections_alone(path: Path) -> None:
    """What has been counted there stays."""
    board = Board(path)
    seat, neighbour = board.seats[1], board.seats[2]
    for part in (seat.lease, seat.counts, seat.taken, seat.clients, neighbour.clients):
        part[0] = part[-1] = 1
    seat.vacate()
    assert not any(seat.clients)
    assert not seat.is_occupied
    assert seat.lease[0]
    assert all(part[0] and part[-1] for part in (seat.counts, seat.taken))
    assert neighbour.clients[0] == neighbour.clients[-1] == 1


def test_a_folder_that_is_missing_is_an_error(path: Path) -> None:
    """Who starts learns what is wrong."""
    with pytest.raises(FileNotFoundError):
        Board(path.parent / "missing" / "board")


@pytest.mark.parametrize("room", [0, 65_536], ids=["full", "nearly full"])
def test_a_disk_without_room_is_an_error(path: Path, room: int) -> None:
    """At the start: not later, when a word is stored."""
    with disk_of(room), pytest.raises(OSError, match=r"large|space"):
        Board(path)
    assert not any(Board(path).stripes)


@contextmanager
def disk_of(room: int) -> Iterator[None]:
    """No file of this process can grow over so many bytes meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_leases_are_not_of_another_time(path: Path) -> None:
    """Who begins anew finds no lease, as the clock by which it lasts may be another."""
    seat = Board(path).seats[1]
    seat.lease[0], seat.lease[1] = 1000, 1 << 40
    seat.counts[0], seat.taken[0] = 7, 5
    seat.begin()
    assert list(seat.lease) == [0] * len(seat.lease)
    assert (seat.counts[0], seat.taken[0]) == (7, 5)
