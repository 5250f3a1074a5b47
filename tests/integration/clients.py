"""The real clients: each pulls ``library/busybox`` by ``:TAG`` or ``@DIGEST``, from nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from tests.support.containerd import running_containerd
from tests.support.docker import running_dockerd
from tests.support.hub import PASSWORD, USER
from tests.support.mirror import Mirror
from tests.support.programs import run

__all__ = ["CLIENTS", "Visitor"]

REGISTRIES = """\
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "{mirror.authority}"
insecure = true
"""


@frozen
class Visitor:
    """Who asks ``mirror``, which speaks plain HTTP; in a ``folder`` that holds nothing yet.

    ``is_logged_in``: with a login that was kept from before.
    """

    mirror: Mirror
    folder: Path
    is_logged_in: bool

    def write_login(self, path: Path) -> Path:
        """What ``docker login`` and ``podman login`` leave behind."""
        path.parent.mkdir(exist_ok=True)
        secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        hosts = (self.mirror.authority, "https://index.docker.io/v1/", "docker.io")
        logins = {host: {"auth": secret} for host in hosts if self.is_logged_in}
        path.write_text(json.dumps({"auths": logins}))
        return path


def docker_by_mirror(visitor: Visitor, reference: str) -> None:
    """By dockerd with ``registry-mirrors``."""
    _docker(visitor, f"busybox{reference}")


def docker_by_host(visitor: Visitor, reference: str) -> None:
    """By ``docker pull HOST/busybox``."""
    _docker(visitor, f"{visitor.mirror.authority}/busybox{reference}")


def _docker(visitor: Visitor, image: str) -> None:
    with running_dockerd(visitor.folder, [visitor.mirror.url]) as docker:
        visitor.write_login(visitor.folder / "login" / "config.json")
        docker("pull", image)


def containerd(visitor: Visitor, reference: str) -> None:
    """By containerd with ``hosts.toml``."""
    login = ("--user", f"{USER}:{PASSWORD}") if visitor.is_logged_in else ()
    with running_containerd(visitor.folder, visitor.mirror) as daemon:
        daemon.pull(f"docker.io/library/busybox{reference}", *login)


def podman(visitor: Visitor, reference: str) -> None:
    """By podman with ``registries.conf``."""
    configuration = visitor.folder / "registries.conf"
    configuration.write_text(REGISTRIES.format(mirror=visitor.mirror))
    environment = {
        "CONTAINERS_REGISTRIES_CONF": str(configuration),
        "REGISTRY_AUTH_FILE": str(visitor.write_login(visitor.folder / "auth.json")),
    }
    with TemporaryDirectory(prefix="podman-") as root:  # it takes paths of 50 characters at most
        storage = ("--root", f"{root}/root", "--runroot", f"{root}/run", "--storage-driver", "vfs")
        image = f"docker.io/library/busybox{reference}"
        run("podman", *storage, "pull", "--tls-verify=false", image, env=environment)


def skopeo(visitor: Visitor, reference: str) -> None:
    """By ``skopeo copy``, of this machine's platform."""
    source = f"docker://{visitor.mirror.authority}/library/busybox{reference}"
    login = ("--authfile", visitor.write_login(visitor.folder / "auth.json"))
    run("skopeo", "copy", *login, "--src-tls-verify=false", source, f"dir:{visitor.folder}/copy")


CLIENTS: Mapping[str, Callable[[Visitor, str], None]] = {
    "docker-mirror": docker_by_mirror,
    "docker-host": docker_by_host,
    "containerd": containerd,
    "podman": podman,
    "skopeo": skopeo,
}
