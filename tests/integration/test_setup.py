"""What ``hubmirror setup`` writes is what the real clients read."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hubmirror.demo.program import MESSAGE
from tests.support.containerd import running_containerd
from tests.support.docker import running_dockerd
from tests.support.mirror import Mirror
from tests.support.programs import run
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration


def hubmirror_setup(client: str, mirror: Mirror, root: Path, *options: str) -> str:
    """Set up a client of the machine at ``root``; returns what the command prints."""
    trust = () if mirror.ca is None else ("--ca", str(mirror.ca))
    where = ("--host", mirror.url, "--root", str(root), "--apply")
    return run(sys.executable, "-m", "hubmirror", "setup", client, *where, *trust, *options)


@pytest.mark.parametrize("mirror", ["http"], indirect=True)
def test_docker(mirror: Mirror, tmp_path: Path) -> None:
    """A dockerd that runs takes it over by a reload, and pulls through the mirror."""
    with running_dockerd(tmp_path, []) as docker:
        before = (tmp_path / "daemon.json").read_bytes()

        printed = hubmirror_setup("docker", mirror, tmp_path, "--config-path", "/daemon.json")
        assert "systemctl reload docker" in printed
        docker.program.signal(signal.SIGHUP)  # which is what that does
        wait_until(lambda: mirror.url in docker("info"), "docker knows the mirror")
        docker("pull", "busybox:1.0")

        assert docker.prints("busybox:1.0") == MESSAGE.decode()
        assert "/v2/library/busybox/manifests/1.0" in mirror.program.text()
        hubmirror_setup("docker", mirror, tmp_path, "--config-path", "/daemon.json", "--undo")
        assert (tmp_path / "daemon.json").read_bytes() == before


@pytest.mark.parametrize("mirror", ["local-ca"], indirect=True)
def test_containerd(mirror: Mirror, tmp_path: Path) -> None:
    """It finds the CA beside ``hosts.toml``, and takes a configuration of all its own keys."""
    with running_containerd(tmp_path, mirror) as containerd:
        (tmp_path / "certs.d/docker.io/hosts.toml").unlink()
        configuration = tmp_path / "etc/containerd/config.toml"
        configuration.parent.mkdir(parents=True)
        configuration.write_text(run("containerd", "config", "default"))

        hubmirror_setup("containerd", mirror, tmp_path, "--config-path", "/certs.d")

        containerd.pull("docker.io/library/busybox:1.1")
        assert "/v2/library/busybox/manifests/1.1?ns=docker.io" in mirror.program.text()
        assert run(
            "containerd", "--config", tmp_path / "etc/containerd/config.toml", "config", "dump"
        )


@pytest.mark.parametrize("mirror", ["local-ca"], indirect=True)
def test_podman(mirror: Mirror, tmp_path: Path) -> None:
    """The drop-in by itself is a ``registries.conf``; the CA is where it looks for it."""
    hubmirror_setup("podman", mirror, tmp_path)

    etc = tmp_path / "etc/containers"
    environment = {
        "CONTAINERS_REGISTRIES_CONF": str(etc / "registries.conf.d/hubmirror.conf"),
    }
    with TemporaryDirectory(prefix="podman-") as folder:  # it takes 50 characters at most
        storage = ("--root", f"{folder}/root", "--runroot", f"{folder}/run")
        trust = ("--cert-dir", etc / "certs.d" / mirror.authority)
        image = "docker.io/library/busybox:1.2"
        run("podman", *storage, "--storage-driver", "vfs", "pull", *trust, image, env=environment)

    assert "/v2/library/busybox/manifests/1.2" in mirror.program.text()
