"""Sockets that are handed over: what is looked at, what is taken, what is refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from hubmirror import activation
from hubmirror.activation import ActivationError, HandedOver, listens_at

PID = 4711
#: Puts a socket where systemd would, as the next one, and returns where it listens.
Hand = Callable[[socket.socket], str]


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hand]:
    """Descriptors that nobody has stand for those from 3 on, which are the test runner's."""
    first = max(map(int, os.listdir("/proc/self/fd"))) + 50
    monkeypatch.setattr(activation, "_FIRST", first)
    handed: list[int] = []
    with ExitStack() as stack:

        def put(one: socket.socket) -> str:
            stack.enter_context(one)
            handed.append(os.dup2(one.fileno(), first + len(handed)))
            is_internet = one.family in (socket.AF_INET, socket.AF_INET6)
            return str(one.getsockname()[1]) if is_internet else ""

        yield put
    for fd in handed:
        if is_open(fd):
            os.close(fd)


def is_open(fd: int) -> bool:
    """Whether ``fd`` is in use."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def told(*names: str, pid: int = PID) -> dict[str, str]:
    """The variables for sockets of these names."""
    count = str(len(names))
    return {"LISTEN_PID": str(pid), "LISTEN_FDS": count, "LISTEN_FDNAMES": ":".join(names)}


def close(given: HandedOver) -> None:
    """All of it."""
    for some in given.by_name.values():
        for one in some:
            one.close()


def test_addresses_are_as_settings_are_written(hand: Hand) -> None:
    """IPv6 in brackets; several of a name in their order."""
    first = hand(socket.create_server(("127.0.0.1", 0)))
    second = hand(socket.create_server(("::1", 0), family=socket.AF_INET6))
    third = hand(socket.create_server(("127.0.0.1", 0)))

    found = listens_at(told("https", "http", "https"), PID)

    assert found == {
        "https": [f"127.0.0.1:{first}", f"127.0.0.1:{third}"],
        "http": [f"[::1]:{second}"],
    }


def test_a_look_takes_nothing(hand: Hand) -> None:
    """The same socket can be taken afterwards, and accepts."""
    port = hand(socket.create_server(("127.0.0.1", 0)))
    environ = told("http")
    listens_at(environ, PID)

    given = HandedOver.taken(environ, PID)

    with socket.create_connection(("127.0.0.1", int(port)), 5):
        [listening] = given.sockets("http")
        listening.setblocking(True)
        listening.accept()[0].close()
    close(given)


def test_what_is_taken_is_for_this_process_alone(hand: Hand) -> None:
    """Programs that it starts inherit neither sockets nor variables; only where they listen."""
    port = hand(socket.create_server(("127.0.0.1", 0)))
    environ = {"PATH": "/bin", **told("http")}

    given = HandedOver.taken(environ, PID)

    [listening] = given.sockets("http")
    assert not listening.get_inheritable()
    assert not listening.getblocking()
    assert {name for name in environ if name.startswith("LISTEN_")} == set()
    assert listens_at(environ, PID + 1) == {"http": [f"127.0.0.1:{port}"]}
    close(given)


@pytest.mark.parametrize(
    "environ",
    [{}, told("http", pid=PID + 1), {**told(), "LISTEN_FDS": "0"}, {**told(), "LISTEN_FDS": "x"}],
)
def test_what_is_not_for_us_is_let_be(environ: dict[str, str]) -> None:
    """Nothing at all, or for another process, or nothing that can be read."""
    assert listens_at(environ, PID) == {}
    assert HandedOver.taken(environ, PID).sockets("http") == ()


@pytest.mark.parametrize("names", ["hubmirror.socket", "", "http:other", "http"])
def test_a_name_that_means_nothing_is_refused(hand: Hand, names: str) -> None:
    """Whoever wrote the unit is told what it must be."""
    hand(socket.create_server(("127.0.0.1", 0)))
    hand(socket.create_server(("127.0.0.1", 0)))
    environ = {**told("http", "http"), "LISTEN_FDNAMES": names}

    with pytest.raises(ActivationError, match=r"FileDescriptorName= .* http, https, monitor"):
        listens_at(environ, PID)


def _datagrams() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    return one


def _local() -> socket.socket:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.bind("")
    one.listen()
    return one


def _connected() -> socket.socket:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return socket.create_connection(server.getsockname())


@pytest.mark.parametrize(
    ("make", "why"),
    [(_datagrams, "not one of TCP"), (_local, "not one of TCP"), (_connected, "Accept= must be")],
)
def test_a_socket_of_another_kind_is_refused(
    hand: Hand, make: Callable[[], socket.socket], why: str
) -> None:
    """A port of UDP, one on this machine alone, one that systemd accepted itself."""
    hand(make())

    with pytest.raises(ActivationError, match=f"the socket http .* {why}"):
        listens_at(told("http"), PID)


def test_what_is_no_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A descriptor of something else."""
    with open(os.devnull) as file:
        monkeypatch.setattr(activation, "_FIRST", file.fileno())

        with pytest.raises(ActivationError, match="http of systemd is no socket"):
            listens_at(told("http"), PID)
