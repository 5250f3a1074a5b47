"""A containerd of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.support.mirror import Mirror
from tests.support.programs import Program, run
from tests.support.waiting import wait_until

__all__ = ["Containerd", "running_containerd"]

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
    """A running containerd, and ``ctr`` for it."""

    program: Program
    folder: Path

    def __call__(self, *arguments: str | Path) -> str:
        """Run ``ctr``; returns what it prints."""
        return run("ctr", "--address", self.folder / "socket", *arguments)

    def pull(self, image: str, *options: str) -> str:
        """Pull ``image`` by way of the mirror that it knows."""
        hosts = ("--hosts-dir", self.folder / "certs.d")
        return self("images", "pull", *hosts, "--snapshotter", "native", *options, image)


@contextmanager
def running_containerd(folder: Path, mirror: Mirror) -> Iterator[Containerd]:
    """A containerd in ``folder`` that knows ``mirror`` as the host to ask for ``docker.io``."""
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
