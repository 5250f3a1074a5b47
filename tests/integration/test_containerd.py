"""containerd pulls through the mirror by ``hosts.toml``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from hubmirror.demo.program import MESSAGE
from tests.support.mirror import Mirror
from tests.support.programs import Program, run
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

IMAGE = "docker.io/library/busybox:1.0"

CONFIGURATION = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{folder}/socket"
"""

HOSTS = """\
server = "https://registry-1.docker.io"
[host."{mirror.url}"]
capabilities = ["pull", "resolve"]
"""


@frozen
class Containerd:
    """A containerd of our own, and ``ctr`` for it."""

    program: Program
    folder: Path

    def __call__(self, *arguments: str | Path) -> str:
        """Run ``ctr``; returns what it prints."""
        return run("ctr", "--address", self.folder / "socket", *arguments)


@pytest.fixture(scope="module")
def containerd(mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    """A containerd that knows ``mirror`` as the host to ask for ``docker.io``."""
    folder = tmp_path_factory.mktemp("containerd")
    hosts = folder / "certs.d" / "docker.io" / "hosts.toml"
    hosts.parent.mkdir(parents=True)
    trust = f'ca = "{mirror.ca}"\n' if mirror.ca else ""
    hosts.write_text(HOSTS.format(mirror=mirror) + trust)
    (folder / "config.toml").write_text(CONFIGURATION.format(folder=folder))
    program = Program(["containerd", "--config", folder / "config.toml"], folder / "log")
    try:
        program.wait_for_line("containerd successfully booted")
        wait_until((folder / "socket").is_socket, "containerd's socket", context=program.text)
        yield Containerd(program, folder)
    finally:
        program.stop()


def test_pull_by_hosts_toml(containerd: Containerd, mirror: Mirror) -> None:
    """An image of ``docker.io`` comes through the mirror, and what was pulled runs."""
    pull = ("images", "pull", "--hosts-dir", containerd.folder / "certs.d")

    containerd(*pull, "--snapshotter", "native", IMAGE)
    printed = containerd("run", "--rm", "--snapshotter", "native", IMAGE, "hello")

    assert printed == MESSAGE.decode()
    assert "/v2/library/busybox/manifests/1.0?ns=docker.io" in mirror.program.text()
