"""The daemon under systemd, played by a test: sockets handed over, and what it says of itself."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.live_hub import LiveHub, live_hub
from tests.support import activating
from tests.support.mirror import Mirror, start_mirror
from tests.support.programs import run

pytestmark = pytest.mark.integration


class Systemd:
    """Its ears, at ``socket``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(30)

    def hears(self) -> dict[str, str]:
        """The next that is said, signs of life aside."""
        while True:
            lines = self._socket.recv(1000).decode().splitlines()
            if lines != ["WATCHDOG=1"]:
                return dict(line.split("=", 1) for line in lines)

    def hears_life(self) -> None:
        """Returns after a sign of life; what is said before it is lost."""
        while self._socket.recv(1000) != b"WATCHDOG=1":
            pass

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    """What the daemon tells."""
    one = Systemd(tmp_path / "notify")
    yield one
    one.close()


@pytest.fixture
def hub() -> Iterator[LiveHub]:
    """Somewhere to ask."""
    with live_hub() as hub:
        yield hub


@pytest.fixture(params=[("twistd", "1"), ("serve", "2")], ids=["one", "workers"])
def mirror(
    request: pytest.FixtureRequest, tmp_path: Path, systemd: Systemd, hub: LiveHub
) -> Iterator[Mirror]:
    """One that is handed a port for HTTPS, where its own settings turn all others off."""
    command, workers = request.param
    config = tmp_path / "hubmirror.toml"
    config.write_text('http = "off"\n')
    # Its output goes to a file, which is no journal; that is looked at, and again at a reload.
    told = (f"NOTIFY_SOCKET={systemd.path}", "WATCHDOG_USEC=1000000", "JOURNAL_STREAM=0:0")
    ports = (sys.executable, activating.__file__, "https=127.0.0.1:0", "monitor=127.0.0.1:0", "--")
    options = ("--config", config, "--workers", workers, *hub.upstream)
    mirror = start_mirror(
        command, tmp_path, *options, scheme="https", wrapper=("env", *told, *ports)
    )
    try:
        yield mirror
    finally:
        mirror.program.stop()
    assert "Traceback" not in mirror.program.text(), mirror.program.text()


def test_it_serves_on_what_it_was_handed(mirror: Mirror, systemd: Systemd, tmp_path: Path) -> None:
    """HTTPS by that alone, the monitor on its own port, over a reload; and each step is told."""
    handed = dict(line.split() for line in mirror.program.text().splitlines()[:2])
    ready = systemd.hears()
    assert ready["READY"] == "1"
    assert ready["STATUS"] == f"serves https://127.0.0.1:{handed['https']}"
    assert mirror.port == int(handed["https"])
    assert asked(mirror, tmp_path) == "200"
    health = f"http://127.0.0.1:{handed['monitor']}/healthz"
    assert run("curl", "--silent", "--fail", health)

    mirror.program.signal(signal.SIGHUP)
    assert set(systemd.hears()) == {"RELOADING", "MONOTONIC_USEC"}
    assert systemd.hears() == ready
    systemd.hears_life()
    assert asked(mirror, tmp_path) == "200"

    mirror.program.signal(signal.SIGTERM)
    assert systemd.hears() == {"STOPPING": "1"}
    assert mirror.program.wait() == 0
    assert "needs a restart" not in mirror.program.text()


def asked(mirror: Mirror, folder: Path) -> str:
    """The status of an answer by HTTPS."""
    ca = folder / "data/tls/ca.pem"
    status = ("--output", "/dev/null", "--write-out", "%{http_code}")
    return run("curl", "--silent", "--cacert", ca, *status, f"{mirror.url}/healthz")


def test_a_socket_of_no_known_name_is_refused(tmp_path: Path) -> None:
    """In one line, before anything is made."""
    wrapper = (sys.executable, activating.__file__, "hubmirror.socket=127.0.0.1:0", "--")
    serve = (sys.executable, "-m", "hubmirror", "serve", "--data", tmp_path / "data")

    told = run(*wrapper, *serve, status=2, cwd=tmp_path)

    assert "hubmirror: systemd hands over a socket called 'hubmirror.socket'" in told
    assert not (tmp_path / "data").exists()
