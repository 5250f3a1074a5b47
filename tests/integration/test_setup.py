"""What ``hubmirror setup`` writes is what the real clients read."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hubmirror.demo.image import hello_image
from hubmirror.demo.program import MESSAGE
from tests.integration.live_hub import live_hub
from tests.support.containerd import running_containerd
from tests.support.docker import running_dockerd
from tests.support.mirror import Mirror, start_mirror
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


def podman_pulls(image: str, mirror: Mirror, root: Path) -> None:
    """By the drop-in, which by itself is a ``registries.conf``, and the CA beside it."""
    etc = root / "etc/containers"
    drop_in = str(etc / "registries.conf.d/hubmirror.conf")
    trust = ("--cert-dir", etc / "certs.d" / mirror.authority) if mirror.ca else ()
    with TemporaryDirectory(prefix="podman-") as folder:  # it takes 50 characters at most
        storage = ("--root", f"{folder}/root", "--runroot", f"{folder}/run")
        podman = ("podman", *storage, "--storage-driver", "vfs")
        run(*podman, "pull", *trust, image, env={"CONTAINERS_REGISTRIES_CONF": drop_in})


@pytest.mark.parametrize("mirror", ["local-ca"], indirect=True)
def test_podman(mirror: Mirror, tmp_path: Path) -> None:
    """The CA is where it looks for it."""
    hubmirror_setup("podman", mirror, tmp_path)

    podman_pulls("docker.io/library/busybox:1.2", mirror, tmp_path)

    assert "/v2/library/busybox/manifests/1.2" in mirror.program.text()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Mirror]:
    """A mirror of two registries, each with an image that the other has not."""
    with live_hub() as hub, live_hub() as ghcr:
        hub.store.add_image("library/hello", "1", hello_image())
        ghcr.store.add_image("owner/app", "1", hello_image())
        (tmp_path / "hubmirror.toml").write_text(f'[upstream."ghcr.io"]\nurl = "{ghcr.url}"\n')
        options = ("--config", str(tmp_path / "hubmirror.toml"), *hub.upstream)
        mirror = start_mirror("serve", tmp_path / "mirror", "--http", "127.0.0.1:0", *options)
        try:
            yield mirror
        finally:
            mirror.program.stop()


def test_two_registries(pair: Mirror, tmp_path: Path) -> None:
    """Both clients find both: containerd by a file for each, podman by the path at the mirror."""
    images = ("docker.io/library/hello:1", "ghcr.io/owner/app:1")
    registries = ("--registry", "docker.io", "--registry", "ghcr.io")
    with running_containerd(tmp_path, pair) as containerd:
        hubmirror_setup("nerdctl", pair, tmp_path, "--config-path", "/certs.d", *registries)
        for image in images:
            containerd.pull(image)

    hubmirror_setup("podman", pair, tmp_path, *registries)
    for image in images:
        podman_pulls(image, pair, tmp_path)
