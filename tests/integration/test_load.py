"""Many clients at once, slow ones, idle ones, too many: nobody is lost, and little is held."""

from __future__ import annotations

import http.client
import os
import re
import resource
import selectors
import signal
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from attrs import frozen

from hubmirror.demo.image import build_image, hello_layer, random_layer
from tests.integration.live_hub import live_hub
from tests.integration.pulling import ACCEPT, login
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.programs import resident_bytes
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

PLAIN = ("--http", "127.0.0.1:0")
SECURE = ("--http", "off", "--https", "127.0.0.1:0")
#: Loopback is one client, of whom all tests here expect much.
MANY = ("--max-connections-per-client", "4000")
MANIFEST = "/v2/library/app/manifests/1"

LAYER = 8 << 20
RUSH = 2000
IDLE = 300
SLOW = 200
#: What a slow client reads at a time, and what its socket holds at most, in bytes.
SIP = 1024
POCKET = 8192


@frozen
class Scene:
    """A mirror that has an image, by ``headers`` that open it; ``blob`` is its layer's path."""

    mirror: Mirror
    headers: dict[str, str]
    blob: str
    tls: ssl.SSLContext

    @property
    def pid(self) -> int:
        """The daemon's."""
        return self.mirror.program.pid

    def request(self, path: str, *more: str) -> bytes:
        """One, as bytes."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.mirror.authority}", *more]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        """A connection, its TLS begun."""
        plain = socket.socket()
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(30)
        plain.connect(("127.0.0.1", self.mirror.port))
        if self.mirror.url.startswith("http:"):
            return plain
        return self.tls.wrap_socket(plain, server_hostname="127.0.0.1")

    def says(self, pattern: str) -> int:
        """How often the daemon's log has it."""
        return len(re.findall(pattern, self.mirror.program.text()))


Stage = Callable[..., Scene]


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """As many as may be, here and for what is started from here."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def stage(start: MirrorStarter, tmp_path: Path) -> Iterator[Stage]:
    """Start a mirror with an image that it has pulled once: ``stage(*options)``."""
    with live_hub() as hub:
        layer = random_layer(tmp_path / "layer", LAYER)
        hub.call(
            hub.store.add_image,
            "library/app",
            "1",
            build_image({"amd64": [hello_layer("amd64"), layer]}),
        )

        def start_one(*options: str) -> Scene:
            scheme = "https" if "--https" in options else "http"
            mirror = start("serve", *options, *MANY, *hub.upstream, scheme=scheme)
            if scheme == "https":
                mirror = _trusting(mirror)
            headers = {**login(mirror, "library/app"), **ACCEPT}
            blob = f"/v2/library/app/blobs/{layer.blob.digest}"
            tls = ssl.create_default_context(cafile=mirror.ca)
            scene = Scene(mirror, headers, blob, tls)
            assert mirror.ask(MANIFEST, headers).status == 200
            assert len(mirror.ask(scene.blob, headers).body) > LAYER
            return scene

        yield start_one


def _trusting(mirror: Mirror) -> Mirror:
    authority = mirror.program.wait_for_line(r"its CA, (\S+\.pem)")[1]
    return Mirror(mirror.program, mirror.url, Path(authority))


def answers(scene: Scene, request: bytes, number: int) -> Counter[int]:
    """The statuses that ``number`` clients get who all connect and ask at once."""
    statuses: Counter[int] = Counter()
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for _ in range(number):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", scene.mirror.port))
            selector.register(client, selectors.EVENT_WRITE, bytearray())
        while selector.get_map():
            events = selector.select(30)
            assert events, statuses
            for key, what in events:
                connection, heard = key.fileobj, key.data
                assert isinstance(connection, socket.socket)
                if what & selectors.EVENT_WRITE:
                    assert connection.send(request) == len(request)
                    selector.modify(connection, selectors.EVENT_READ, heard)
                elif data := connection.recv(65536):
                    heard += data
                else:
                    selector.unregister(connection)
                    statuses[int(heard.split(b" ", 2)[1])] += 1
    return statuses


def test_all_who_come_at_once_are_answered(stage: Stage) -> None:
    """2,000 connections, more than the kernel queues: none is lost, and it goes on as before.

    Each gets its manifest, or on a machine that is too slow for that is told to come back.
    """
    scene = stage(*PLAIN)
    request = scene.request(MANIFEST, "Connection: close")
    statuses = answers(scene, request, RUSH)
    assert sum(statuses.values()) == RUSH
    assert set(statuses) <= {200, 503}
    assert statuses[200] > RUSH // 2
    wait_until(lambda: answers(scene, request, 50) == {200: 50}, "all are answered")
    assert "Traceback" not in scene.mirror.program.text()


def test_more_than_are_allowed_are_told_so(stage: Stage) -> None:
    """Over ``max_connections``: 503 to each of the rest, and then it goes on as before."""
    scene = stage(*PLAIN, "--max-connections", "100")
    request = scene.request(MANIFEST, "Connection: close")
    holding = [scene.connect() for _ in range(100)]
    wait_until(lambda: scene.mirror.ask("/healthz").status == 503, "all are taken")
    assert set(answers(scene, request, 300)) <= {503}
    for held in holding:
        held.close()
    wait_until(lambda: answers(scene, request, 50) == {200: 50}, "there is room again")


@pytest.mark.parametrize(("options", "each"), [(PLAIN, 8 << 10), (SECURE, 32 << 10)])
def test_an_idle_connection_takes_little(stage: Stage, options: tuple[str, ...], each: int) -> None:
    """That has asked for something, and is kept: less than 8 KiB, and 32 KiB under TLS."""
    scene = stage(*options)
    request = scene.request(MANIFEST)
    before = resident_bytes(scene.pid)
    with ExitStack() as stack:
        clients = [stack.enter_context(scene.connect()) for _ in range(IDLE)]
        for client in clients:
            client.sendall(request)
            assert client.recv(12) == b"HTTP/1.1 200"
        assert resident_bytes(scene.pid) - before < IDLE * each


@pytest.mark.parametrize("options", [PLAIN, SECURE])
def test_slow_readers_hinder_nobody(stage: Stage, options: tuple[str, ...]) -> None:
    """200 of a blob, and manifests are answered meanwhile; nor do they fill the memory."""
    scene = stage(*options)
    before = resident_bytes(scene.pid)

    def is_served() -> bool:
        """Where the machine has more to do than the mirror, some may be shed."""
        return scene.mirror.ask(MANIFEST, scene.headers).status == 200

    with ExitStack() as stack:
        readers = [stack.enter_context(scene.connect(POCKET)) for _ in range(SLOW)]
        for reader in readers:
            reader.sendall(scene.request(scene.blob))
        for _ in range(5):
            for reader in readers:
                assert reader.recv(SIP)
            wait_until(is_served, "others are served meanwhile")
        grown = resident_bytes(scene.pid) - before
    assert grown < SLOW * (96 << 10), grown


@contextmanager
def few_descriptors(pid: int, more: int) -> Iterator[None]:
    """Process ``pid`` may open ``more`` files than it has open, at most."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1 + more, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_nobody_is_lost_for_want_of_descriptors(stage: Stage) -> None:
    """They wait until there are some; who is there is served; it is told once."""
    scene = stage(*PLAIN)
    request = scene.request(MANIFEST)
    kept = scene.mirror.connect()
    _ask(kept, MANIFEST, scene)
    with ExitStack() as stack:
        with few_descriptors(scene.pid, 4):
            clients = [stack.enter_context(scene.connect()) for _ in range(60)]
            for client in clients:
                client.sendall(request)
            wait_until(lambda: scene.says(r"EMFILE"), "it is told")
            assert _ask(kept, MANIFEST, scene) == 200
            assert _ask(kept, scene.blob, scene) >= 500
            assert _ask(kept, MANIFEST, scene) == 200
            spent = _seconds_of_processor(scene.pid)
            began = time.monotonic()
            wait_until(lambda: time.monotonic() - began > 1, "a second")
            assert _seconds_of_processor(scene.pid) - spent < 0.5
        for client in clients:
            assert client.recv(12) == b"HTTP/1.1 200"
    assert _ask(kept, scene.blob, scene) == 200
    wait_until(lambda: scene.says(r"accepted again"), "it is told that it is over")
    assert scene.says(r"accepted again") == scene.says(r"EMFILE") == 1


def _ask(connection: http.client.HTTPConnection, path: str, scene: Scene) -> int:
    connection.request("GET", path, headers=scene.headers)
    response = connection.getresponse()
    response.read()
    return response.status


def _seconds_of_processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_overload_is_shed_and_ends(stage: Stage) -> None:
    """A daemon that comes too late again and again refuses some, goes on with the rest, recovers.

    It gets so little of the processor as if others had it all.
    """
    scene = stage(*PLAIN)
    reader = scene.connect(POCKET)
    reader.sendall(scene.request(scene.blob, "Connection: close"))
    assert reader.recv(12) == b"HTTP/1.1 200"
    asking = scene.connect()
    heard = b""

    def is_refused() -> bool:
        nonlocal heard
        os.kill(scene.pid, signal.SIGSTOP)
        asking.sendall(scene.request(MANIFEST))
        _pass(0.5)
        os.kill(scene.pid, signal.SIGCONT)
        heard = asking.recv(65536)
        return heard.startswith(b"HTTP/1.1 503 ")

    try:
        wait_until(is_refused, "a request is refused", seconds=30)
    finally:
        os.kill(scene.pid, signal.SIGCONT)
    assert b"\r\nRetry-After: 1\r\n" in heard
    assert b'"code": "UNAVAILABLE"' in heard
    for _ in range(8):
        assert scene.mirror.ask("/healthz").status == 200
    wait_until(lambda: scene.says("status=503 .*why=overload"), "its line in the access log")
    assert scene.says("overload: ") == 1

    def is_well() -> bool:
        return all(scene.mirror.ask(MANIFEST, scene.headers).status == 200 for _ in range(8))

    wait_until(is_well, "all are answered again")
    assert len(_all(reader)) > LAYER


def _all(reader: socket.socket) -> bytes:
    """The rest of a response whose connection ends behind it."""
    heard = bytearray()
    while data := reader.recv(1 << 20):
        heard += data
    return bytes(heard)


def _pass(seconds: float) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, "time passes")
