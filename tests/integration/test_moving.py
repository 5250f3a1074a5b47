"""A listener that moves while clients ask, and none of them notices."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from tests.support.mirror import Mirror, MirrorStarter
from tests.support.ports import free_ports
from tests.support.upstream import DIGEST, HALF, halting_registry
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

CLIENTS = 4
MOVES = 6


def ask_anew(mirror: Mirror, is_over: Event) -> int:
    """Each request by a connection of its own."""
    asked = 0
    while not is_over.is_set():
        assert mirror.ask("/quota").status == 200
        asked += 1
    return asked


def ask_on(mirror: Mirror, is_over: Event) -> int:
    """As a client does that keeps its connection, until an answer says that it ends."""
    asked, ends, connection = 0, 0, mirror.connect()
    while not is_over.is_set():
        connection.request("GET", "/quota")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        asked += 1
        if answer.headers["Connection"] == "close":
            ends += 1
            connection.close()
    connection.close()
    assert ends > 0
    return asked


def test_no_request_is_lost(start: MirrorStarter, tmp_path: Path) -> None:
    """From this machine's own address to all of them, and back, again and again."""
    file, (number,) = tmp_path / "hubmirror.toml", free_ports(1)
    upstream = 'upstream = "http://127.0.0.1:9"\nquota_minute = 0\n'

    def listen(host: str) -> None:
        file.write_text(f'{upstream}http = "{host}:{number}"\n')

    def moves() -> int:
        return mirror.program.text().count("no longer listening on")

    listen("127.0.0.1")
    mirror = start("serve", "--config", file)
    is_over = Event()
    ways: list[Callable[[Mirror, Event], int]] = [ask_anew, ask_on]
    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ways[n % 2], mirror, is_over) for n in range(CLIENTS)]
        try:
            for move in range(MOVES):
                listen("" if move % 2 == 0 else "127.0.0.1")
                mirror.program.signal(signal.SIGHUP)
                wait_until(lambda: moves() > move, "it moves", context=mirror.program.text)  # noqa: B023 - waited for
        finally:
            is_over.set()
        counts = [one.result() for one in asking]
    assert min(counts) > 0
    assert moves() == MOVES


def test_a_transfer_goes_on(start: MirrorStarter, tmp_path: Path) -> None:
    """Its listener is gone, and it comes to its end; with a port that is taken nothing moves."""
    file = tmp_path / "hubmirror.toml"
    with halting_registry() as upstream, socket.create_server(("127.0.0.1", 0)) as taken:
        general = f'upstream = "{upstream.url}"\n'
        file.write_text(f'{general}http = "127.0.0.1:0"\n')
        mirror = start("serve", "--config", file)
        connection = mirror.connect()
        connection.request("GET", f"/v2/library/x/blobs/{DIGEST}")
        response = connection.getresponse()
        assert response.read(len(HALF)) == HALF

        file.write_text(f'{general}http = "127.0.0.1:{taken.getsockname()[1]}"\n')
        mirror.program.signal(signal.SIGHUP)
        mirror.program.wait_for_line("configuration in force stays: cannot listen on")
        assert mirror.ask("/quota").status == 200

        file.write_text(f'{general}http = "127.0.0.2:0"\n')
        mirror.program.signal(signal.SIGHUP)
        mirror.program.wait_for_line(f"no longer listening on {mirror.url}")
        with pytest.raises(ConnectionRefusedError):
            mirror.ask("/quota")
        upstream.finish.set()
        assert response.read() == HALF
