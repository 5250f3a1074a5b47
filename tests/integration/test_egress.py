"""All upstream traffic through a real HTTP proxy: Debian's ``tinyproxy``."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from attrs import frozen

from hubmirror.demo.image import hello_image
from tests.support.hub import Hub
from tests.support.mirror import MirrorStarter
from tests.support.programs import Program
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

CONFIGURATION = """\
Listen 127.0.0.1
Port {port}
BasicAuth mirror opensesame
LogLevel Connect
"""


@frozen
class Proxy:
    """A running tinyproxy that wants ``mirror:opensesame``."""

    program: Program
    port: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """A tinyproxy of our own."""
    proxy = _start(tmp_path)
    try:
        wait_until(lambda: _accepts(proxy.port), "tinyproxy listens", context=proxy.program.text)
        yield proxy
    finally:
        proxy.program.stop()


def _start(folder: Path) -> Proxy:
    with socket.create_server(("127.0.0.1", 0)) as free:  # it takes no port 0 itself
        port: int = free.getsockname()[1]
    (folder / "tinyproxy.conf").write_text(CONFIGURATION.format(port=port))
    program = Program(
        ["tinyproxy", "-d", "-c", folder / "tinyproxy.conf"], folder / "tinyproxy.log"
    )
    return Proxy(program, port)


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _credentials(folder: Path, text: str) -> Path:
    file = folder / "credentials"
    file.touch(mode=0o600)
    file.write_text(f"{text}\n")
    return file


def test_everything_goes_through_the_proxy(
    start: MirrorStarter, hub: Hub, proxy: Proxy, tmp_path: Path
) -> None:
    """Registry, token server and blob host are reached by CONNECT, TLS verified inside."""
    credentials = _credentials(tmp_path, "mirror:opensesame")
    egress = ("--egress-proxy", proxy.url, "--egress-credentials", credentials)
    mirror = start("serve", "--http", "127.0.0.1:0", *hub.upstream, *egress)
    digest = hello_image().blobs[0].digest

    blob = mirror.ask(f"/v2/busybox/blobs/{digest}", mirror.bearer("busybox"))

    assert hashlib.sha256(blob.body).hexdigest() == digest.encoded
    reached = set(re.findall(r"CONNECT (\S+) ", proxy.program.text()))
    assert urlsplit(hub.url).netloc in reached
    assert len(reached) == 3
    assert "opensesame" not in mirror.program.text()


def test_wrong_credentials(start: MirrorStarter, hub: Hub, proxy: Proxy, tmp_path: Path) -> None:
    """A proxy that refuses is told as such: 502, the proxy named, no secret in the words."""
    credentials = _credentials(tmp_path, "mirror:wrong-word")
    egress = ("--egress-proxy", proxy.url, "--egress-credentials", credentials)
    mirror = start("serve", "--http", "127.0.0.1:0", *hub.upstream, *egress)

    answer = mirror.ask("/v2/")

    assert answer.status == 502
    assert "proxy" in json.loads(answer.body)["errors"][0]["message"]
    assert "wrong-word" not in mirror.program.text()
