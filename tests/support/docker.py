"""A docker daemon of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from tests.support.programs import Program, run
from tests.support.waiting import wait_until

__all__ = ["Docker", "running_dockerd"]


@frozen
class Docker:
    """A running dockerd, and its command line with a login file of its own."""

    program: Program
    folder: Path
    socket: Path

    def __call__(self, *arguments: str, status: int | None = 0, stdin: str = "") -> str:
        """Run ``docker``; returns what it prints."""
        options = ("--host", f"unix://{self.socket}", "--config", self.folder / "login")
        return run("docker", *options, *arguments, status=status, stdin=stdin)

    def prints(self, image: str) -> str:
        """What a container of ``image`` prints."""
        return self("run", "--rm", "--network", "none", image)

    def is_up(self) -> bool:
        """Whether it serves."""
        return "Server Version" in self("info", status=0) if self.socket.is_socket() else False

    def forget(self) -> None:
        """Remove all images and logins."""
        images = self("images", "--quiet").split()
        if images:
            self("image", "rm", "--force", *set(images))
        (self.folder / "login" / "config.json").unlink(missing_ok=True)


@contextmanager
def running_dockerd(folder: Path, mirrors: Sequence[str]) -> Iterator[Docker]:
    """A dockerd in ``folder`` with these ``registry-mirrors``. It touches no firewall or bridge.

    Its sockets are elsewhere: a socket's path has 107 characters at most.
    """
    with TemporaryDirectory(prefix="docker-") as sockets:
        yield from _dockerd(folder, Path(sockets), mirrors)


def _dockerd(folder: Path, sockets: Path, mirrors: Sequence[str]) -> Iterator[Docker]:
    configuration = {
        "registry-mirrors": list(mirrors),
        "hosts": [f"unix://{sockets}/socket"],
        "data-root": f"{folder}/data",
        "exec-root": f"{sockets}/exec",
        "pidfile": f"{folder}/pid",
        "storage-driver": "vfs",
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
    }
    (folder / "daemon.json").write_text(json.dumps(configuration))
    program = Program(["dockerd", "--config-file", folder / "daemon.json"], folder / "log")
    docker = Docker(program, folder, sockets / "socket")
    try:
        program.wait_for_line("API listen on", seconds=60)
        wait_until(docker.is_up, "docker info answers", context=program.text)
        yield docker
    finally:
        program.stop()
