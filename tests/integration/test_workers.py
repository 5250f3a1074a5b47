"""Several processes that serve as one mirror, and what happens when some of them end."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from threading import Event

import pytest

from hubmirror.demo.content import Blob
from hubmirror.processes import KEEPER, WORKER, Place
from tests.integration.live_hub import LiveHub, live_hub
from tests.integration.pulling import Reader, login, together
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

MIB = 1 << 20
CONTENT = random.Random(8).randbytes(24 * MIB)  # noqa: S311 - not a secret
BLOB = Blob.of(CONTENT)
SMALL = Blob.of(b"a small layer")
REPOSITORY = "library/big"
PATH = f"/v2/{REPOSITORY}/blobs/{BLOB.digest}"
SMALL_PATH = f"/v2/{REPOSITORY}/blobs/{SMALL.digest}"
HTTP = ("--http", "127.0.0.1:0")
WORKERS = 3


@pytest.fixture
def hub() -> Iterator[LiveHub]:
    """A Hub with two blobs in a public repository."""
    with live_hub() as hub:
        hub.store.add_blob(REPOSITORY, BLOB)
        hub.store.add_blob(REPOSITORY, SMALL)
        yield hub


@pytest.fixture
def mirror(start: MirrorStarter, hub: LiveHub) -> Iterator[Mirror]:
    """A mirror of several processes."""
    mirror = start("twistd", *HTTP, *hub.upstream, "--workers", str(WORKERS), "--quota-minute", "0")
    wait_until(lambda: len(pids(mirror, WORKER)) == WORKERS, "all workers are there")
    yield mirror
    assert "Traceback" not in mirror.program.text(), mirror.program.text()


def pids(mirror: Mirror, role: str) -> set[int]:
    """The processes of ``mirror`` that have this role."""
    parent = mirror.program.pid
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return {pid for pid in map(int, text.split()) if role_of(pid) == role}


def role_of(pid: int) -> str | None:
    """What a process was told to be; None for one that is gone."""
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    pairs = dict(item.partition("=")[::2] for item in environ.decode().split("\0"))
    place = Place.told(pairs)
    return None if place is None else place.role


def used(mirror: Mirror) -> int:
    """How much of the quota is spent."""
    spent: int = json.loads(mirror.ask("/quota").body)["used"]
    return spent


def keep(mirror: Mirror, *paths: str) -> Mapping[str, str]:
    """Have these kept; the headers by which they can be asked for."""
    headers = login(mirror, REPOSITORY)
    for path in paths:
        assert mirror.ask(path, headers).status == 200
    return headers


def ask_often(mirror: Mirror, path: str, headers: Mapping[str, str], times: int) -> int:
    """How many of so many requests on one connection were answered with 200."""
    connection = mirror.connect()
    try:
        statuses = []
        for _ in range(times):
            connection.request("GET", path, headers=dict(headers))
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
    finally:
        connection.close()
    return statuses.count(200)


def test_one_fetch_over_all(mirror: Mirror, hub: LiveHub) -> None:
    """Clients of all workers ask for a cold blob at once, and it comes once."""
    hub.faults.blobs.bytes_per_second = 16 * MIB
    headers = login(mirror, REPOSITORY)

    bodies = together([Reader(mirror, PATH, headers).read] * 12)

    assert set(map(len, bodies)) == {len(CONTENT)}
    assert set(bodies) == {CONTENT}
    assert hub.blob_bytes_sent == len(CONTENT)


def test_one_count_over_all(mirror: Mirror) -> None:
    """What each worker lets through by itself is in the one count, to the last request."""
    headers = keep(mirror, SMALL_PATH)
    before = used(mirror)

    def ask(_: int) -> int:
        return ask_often(mirror, SMALL_PATH, headers, 200)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {200}

    assert used(mirror) - before == 8 * 200
    metrics = mirror.ask("/metrics").body.decode()
    assert 'hubmirror_requests_total{kind="blob",outcome="hit"} 1600.0' in metrics


def test_a_worker_that_dies_is_replaced(mirror: Mirror) -> None:
    """Its clients come again; those of others notice nothing."""
    headers = keep(mirror, SMALL_PATH)
    before = pids(mirror, WORKER)
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    def are_new() -> bool:
        now = pids(mirror, WORKER)
        return len(now) == WORKERS and not now & before

    wait_until(are_new, "others are there", context=mirror.program.text)
    assert ask_often(mirror, SMALL_PATH, headers, 20) == 20


def test_a_fetch_outlives_its_process(mirror: Mirror, hub: LiveHub) -> None:
    """The keeper dies amid a fetch: the next one goes on, and no reader notices."""
    hub.faults.blobs.bytes_per_second = 8 * MIB
    headers = login(mirror, REPOSITORY)
    (keeper,) = pids(mirror, KEEPER)
    arrived = Event()

    def read() -> bytes:
        connection = mirror.connect(timeout=60)
        connection.request("GET", PATH, headers=dict(headers))
        response = connection.getresponse()
        body = response.read(6 * MIB)
        arrived.set()
        return body + response.read()

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read) for _ in range(4)]
        assert arrived.wait(30)
        os.kill(keeper, signal.SIGKILL)
        assert [reader.result() == CONTENT for reader in readers] == [True] * 4

    assert pids(mirror, KEEPER) - {keeper}
    assert hub.blob_bytes_sent < 2 * len(CONTENT)


def test_requests_wait_for_the_keeper(mirror: Mirror) -> None:
    """Who asks while it is being replaced waits for a moment, and is answered."""
    (keeper,) = pids(mirror, KEEPER)
    os.kill(keeper, signal.SIGKILL)

    assert mirror.ask("/healthz").status == 200
    assert mirror.ask(SMALL_PATH, login(mirror, REPOSITORY)).status == 200


def test_all_are_replaced_and_no_request_is_lost(mirror: Mirror) -> None:
    """SIGUSR2 under load: other processes, and each request has its answer."""
    headers = keep(mirror, SMALL_PATH)
    before = pids(mirror, WORKER) | pids(mirror, KEEPER)
    done = Event()

    def ask() -> int:
        count = 0
        while not done.is_set():
            count += persistent(mirror, SMALL_PATH, headers, done.is_set)
        return count

    def are_new() -> bool:
        now = pids(mirror, WORKER) | pids(mirror, KEEPER)
        return len(now) == WORKERS + 1 and not now & before

    with ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask) for _ in range(4)]
        mirror.program.signal(signal.SIGUSR2)
        try:
            mirror.program.wait_for_line("all processes have been replaced", seconds=60)
            assert are_new()
        finally:
            done.set()
        assert all(one.result() for one in asking)


def persistent(
    mirror: Mirror, path: str, headers: Mapping[str, str], is_done: Callable[[], bool]
) -> int:
    """Ask on one connection for as long as the mirror keeps it; how often.

    Raises ``HTTPException`` or ``OSError`` where a request is not answered.
    """
    connection = mirror.connect()
    count = 0
    try:
        while not is_done():
            connection.request("GET", path, headers=dict(headers))
            response = connection.getresponse()
            assert response.status == 200
            assert response.read() == b"a small layer"
            count += 1
            if response.will_close:
                return count
    finally:
        connection.close()
    return count


def test_sighup_reaches_all(start: MirrorStarter, hub: LiveHub, tmp_path: Path) -> None:
    """Other rules hold wherever a client comes."""
    file = tmp_path / "hubmirror.toml"
    file.write_text("quota_minute = 0\n")
    options = ("--workers", "3", "--config", file)
    mirror = start("serve", *HTTP, *hub.upstream, *options)
    headers = keep(mirror, SMALL_PATH)
    assert ask_often(mirror, SMALL_PATH, headers, 50) == 50

    monitor = 'monitor = "127.0.0.1:0"\n'
    file.write_text(f'quota_minute = 0\nquota = 1\non_exhausted = "refuse"\n{monitor}')
    mirror.program.signal(signal.SIGHUP)

    def is_refused() -> bool:
        return all(mirror.ask(SMALL_PATH, headers).status == 429 for _ in range(12))

    wait_until(is_refused, "the new limit holds everywhere", context=mirror.program.text)
    mirror.program.wait_for_line("monitor has changed: that needs a restart")


def test_a_clients_connections_over_all(start: MirrorStarter, hub: LiveHub) -> None:
    """One client has so many connections, to whichever workers."""
    limit = ("--max-connections-per-client", "6")
    mirror = start("serve", *HTTP, *hub.upstream, "--workers", "3", *limit)
    wait_until(lambda: len(pids(mirror, WORKER)) == 3, "all workers are there")
    held = [mirror.connect() for _ in range(6)]
    try:
        for one in held:  # answered: so it was accepted, and no time-out of a first request ends it
            one.request("GET", "/healthz")
            assert one.getresponse().read()
        wait_until(lambda: mirror.ask("/healthz").status == 429, "the seventh is refused")
    finally:
        for one in held:
            one.close()
    wait_until(lambda: mirror.ask("/healthz").status == 200, "there is room again")


def test_orphans_end(mirror: Mirror) -> None:
    """Nothing is left of a mirror whose supervisor was killed."""
    others = pids(mirror, WORKER) | pids(mirror, KEEPER)
    mirror.program.signal(signal.SIGKILL)
    mirror.program.wait()

    wait_until(lambda: not any(role_of(pid) for pid in others), "all have ended")


def test_sigterm_ends_all(mirror: Mirror, hub: LiveHub) -> None:
    """A transfer that runs ends first, and then they do: with 0."""
    hub.faults.blobs.bytes_per_second = 12 * MIB
    headers = login(mirror, REPOSITORY)
    others = pids(mirror, WORKER) | pids(mirror, KEEPER)
    connection = mirror.connect(timeout=60)
    connection.request("GET", PATH, headers=dict(headers))
    response = connection.getresponse()
    begun = response.read(MIB)

    mirror.program.signal(signal.SIGTERM)

    assert begun + response.read() == CONTENT
    connection.close()
    assert mirror.program.wait() == 0
    assert not any(role_of(pid) for pid in others)


def test_ctrl_c_ends_all_in_order(mirror: Mirror, hub: LiveHub) -> None:
    """A terminal tells all of them at once, and yet a transfer that runs ends first."""
    hub.faults.blobs.bytes_per_second = 12 * MIB
    connection = mirror.connect(timeout=60)
    connection.request("GET", PATH, headers=dict(login(mirror, REPOSITORY)))
    response = connection.getresponse()
    begun = response.read(MIB)

    os.killpg(mirror.program.pid, signal.SIGINT)

    assert begun + response.read() == CONTENT
    connection.close()
    assert mirror.program.wait() == 0


def test_ctrl_c_while_a_worker_starts(mirror: Mirror) -> None:
    """It reaches a process that can't heed it yet, which then ends as quietly as the others."""
    before = pids(mirror, WORKER)
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: pids(mirror, WORKER) - before, "another worker takes its place")

    os.killpg(mirror.program.pid, signal.SIGINT)

    assert mirror.program.wait() == 0


def test_a_start_that_fails(start: MirrorStarter) -> None:
    """A port that is taken is one line, and the end with 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError, match=r"ended with 1:\n.*hubmirror: cannot listen on"):
            start("serve", "--http", f"127.0.0.1:{port}", "--workers", "2")


def test_a_broken_connection_is_told(mirror: Mirror, hub: LiveHub) -> None:
    """What can't go on breaks off, and never ends as if it were whole."""
    hub.faults.blobs.bytes_per_second = 8 * MIB
    headers = login(mirror, REPOSITORY)
    connection = mirror.connect(timeout=60)
    connection.request("GET", PATH, headers=dict(headers))
    response = connection.getresponse()
    response.read(MIB)
    for pid in pids(mirror, WORKER):
        os.kill(pid, signal.SIGKILL)

    with pytest.raises((HTTPException, OSError)):
        response.read()
    connection.close()
