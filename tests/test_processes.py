"""What the processes of one mirror are told by the one that starts them."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from hubmirror.processes import KEEPER, LOCAL_SOCKET, WORKER, Place, local_path, sockets

PLACES = [
    Place(WORKER, 3),
    Place(WORKER, 1, http=(4, 5), https=(6,)),
    Place(
        KEEPER,
        0,
        monitor=(7, 8),
        local=9,
        urls=("http://a:5000", "https://ä:5443"),
        watched=("http://a:5001",),
        greets=True,
    ),
]


@pytest.mark.parametrize("place", PLACES)
def test_a_place_is_told_by_the_environment(place: Place) -> None:
    """As it was; whatever else is there."""
    assert Place.told({"PATH": "/bin", **place.environment()}) == place


def test_who_was_told_nothing_has_none() -> None:
    """A process that was started by itself."""
    assert Place.told({"PATH": "/bin"}) is None


def test_all_descriptors_are_handed_over() -> None:
    """The listening sockets of each kind, and the local one where there is one."""
    assert [place.descriptors() for place in PLACES] == [[], [4, 5, 6], [7, 8, 9]]


def test_descriptors_have_other_numbers_there() -> None:
    """Nothing else changes."""
    assert PLACES[0].renumbered({}) == PLACES[0]
    assert PLACES[1].renumbered({4: 14, 5: 15, 6: 16}) == Place(
        WORKER, 1, http=(14, 15), https=(16,)
    )
    there = PLACES[2].renumbered({7: 17, 8: 18, 9: 19})
    assert (there.monitor, there.local, there.urls) == ((17, 18), 19, PLACES[2].urls)


def test_sockets_are_taken_over() -> None:
    """They are the same, by their numbers, and closed with what takes them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        (taken,) = sockets([os.dup(listening.fileno())])
        assert taken.getsockname() == address
        number = taken.fileno()
        taken.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)


def test_a_local_socket_may_be_in_a_folder_with_a_long_name(tmp_path: Path) -> None:
    """A socket's own name must be short: it goes by the folder's descriptor."""
    folder = tmp_path / ("long " * 30) / ("longer " * 20)
    folder.mkdir(parents=True)
    path = local_path(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        assert stat.S_ISSOCK((folder / LOCAL_SOCKET).stat().st_mode)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(local_path(folder))
            accepted, _ = listening.accept()
            accepted.close()


def test_a_folder_that_is_missing_has_no_local_socket(tmp_path: Path) -> None:
    """Who starts learns what is wrong."""
    with pytest.raises(FileNotFoundError):
        local_path(tmp_path / "missing")
