"""What systemd is told, and when nothing is said."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hubmirror.notifying import Notifier

PID = 4711


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        one.settimeout(5)
        yield one


@pytest.mark.parametrize(
    ("say", "words"),
    [
        (lambda one: one.ready("serves http://a:1"), b"READY=1\nSTATUS=serves http://a:1"),
        (lambda one: one.reloading(12.5), b"RELOADING=1\nMONOTONIC_USEC=12500000"),
        (lambda one: one.stopping(), b"STOPPING=1"),
        (lambda one: one.alive(), b"WATCHDOG=1"),
    ],
)
def test_words(heard: socket.socket, say: Callable[[Notifier], None], words: bytes) -> None:
    """Those of sd_notify(3), in one datagram."""
    say(Notifier(heard.getsockname()))

    assert heard.recv(1000) == words


def test_a_name_that_is_no_files() -> None:
    """Linux has such; they are written with an at sign."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("")  # the kernel finds a name
        heard.settimeout(5)
        environ = {"NOTIFY_SOCKET": "@" + heard.getsockname()[1:].decode()}

        Notifier.told(environ, PID).stopping()

        assert heard.recv(1000) == b"STOPPING=1"


def test_the_variables_are_for_this_process_alone() -> None:
    """What it starts does not speak in its place."""
    environ = {
        "PATH": "/bin",
        "NOTIFY_SOCKET": "/run/notify",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(PID),
    }

    notifier = Notifier.told(environ, PID)

    assert notifier.period == 15
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "watchdog",
    [{}, {"WATCHDOG_USEC": "3", "WATCHDOG_PID": str(PID + 1)}, {"WATCHDOG_USEC": "soon"}],
)
def test_who_is_not_watched_gives_no_sign(watchdog: dict[str, str]) -> None:
    """No watchdog, that of another process, or nothing that can be read."""
    assert Notifier.told({"NOTIFY_SOCKET": "/run/notify", **watchdog}, PID).period is None


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "vsock:2:1"}, {"WATCHDOG_USEC": "9"}])
def test_without_systemd_nothing_is_said(environ: dict[str, str]) -> None:
    """Nor is anything looked for."""
    notifier = Notifier.told(environ, PID)

    notifier.ready("serves")

    assert notifier.period is None


def test_nobody_has_to_listen(tmp_path: Path) -> None:
    """Where systemd is gone, the mirror goes on."""
    Notifier(str(tmp_path / "gone")).ready("serves")
