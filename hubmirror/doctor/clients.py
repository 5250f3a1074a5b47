"""Whether the clients on this machine are set up to use the mirror."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from hubmirror.clients.address import DOCKER_HUB, MirrorAddress
from hubmirror.clients.containerd import CONTAINERD, hosts_in, way_for_kubernetes
from hubmirror.clients.docker import DOCKER, mirrors_in
from hubmirror.clients.files import SetupError
from hubmirror.clients.json_file import read_object, texts_of
from hubmirror.clients.machine import Machine
from hubmirror.clients.podman import mirrors_of
from hubmirror.doctor.findings import Finding, fail, ok, warn
from hubmirror.upstream.egress import bypasses

__all__ = ["ClientFiles"]

_REGISTRIES: Final = PurePosixPath("/etc/containers/registries.conf")
_DROP_INS: Final = PurePosixPath("/etc/containers/registries.conf.d")
_K3S: Final = PurePosixPath("/etc/rancher/k3s/registries.yaml")
_PORTS: Final = {"http": 80, "https": 443}


@frozen
class ClientFiles:
    """The files of ``machine``, where ``has`` tells whether a program is installed.

    ``urls`` are those by which the mirror may be known there, the best one first. ``registries``
    are the names of what it mirrors, the first that of names which have none in front.
    """

    machine: Machine
    has: Callable[[str], Any]
    urls: Collection[str]
    registries: Sequence[str] = (DOCKER_HUB,)

    def findings(self) -> list[Finding]:
        """One at least for each client that is installed."""
        found = [*self._guarded("docker", self._docker), *self._guarded("containerd", self._hosts)]
        found += self._guarded("podman", self._podman)
        found += self._guarded("k3s", self._k3s)
        return found or [ok("clients", "no client is installed on this machine")]

    def _guarded(self, key: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
        if not (self.has(key) or (key == "docker" and self.has("dockerd"))):
            return []
        try:
            return list(look())
        except SetupError as error:
            return [fail(key, str(error), f"{key} may not even start with it")]

    def _docker(self) -> Iterator[Finding]:
        if self.registries[0] != DOCKER_HUB:  # which is all that docker has mirrors for
            return
        content = self.machine.look(DOCKER.place)
        mirrors = [one.rstrip("/") for one in mirrors_in(DOCKER.place, content)]
        url = next((one for one in mirrors if one in self.urls), None)
        if url is None:
            yield self._unset("docker", str(DOCKER.place))
            return
        yield ok("docker", f"{DOCKER.place} has {url} among its mirrors")
        daemon = read_object(DOCKER.place, content)
        mirror = MirrorAddress(url)
        insecure = texts_of(DOCKER.place, daemon, "insecure-registries")
        if mirror.is_plain and not mirror.is_loopback and mirror.authority not in insecure:
            yield fail(
                "docker",
                f"docker wants TLS of {url}, which has none",
                f'add "insecure-registries": ["{mirror.authority}"], or give the mirror TLS',
            )
        yield from _docker_proxy(daemon, url)

    def _hosts(self) -> Iterator[Finding]:
        way = way_for_kubernetes(self.machine.look)
        for name in self.registries:
            path = (way or CONTAINERD.place) / name / "hosts.toml"
            url = self._known(hosts_in(path, self.machine.look(path)))
            if url is None:
                yield self._unset("containerd", str(path))
            elif way is None:
                told = f"{path} has {url}, but config.toml shows Kubernetes no way there"
                yield warn("containerd", told, self._command("containerd"))
            else:
                yield ok("containerd", f"{path} has {url}")

    def _podman(self) -> Iterator[Finding]:
        names = [name for name in self.machine.names(_DROP_INS) if name.endswith(".conf")]
        files = [_REGISTRIES, *(_DROP_INS / name for name in names)]
        authorities = {urlsplit(url).netloc for url in self.urls}
        for name in self.registries:
            # A later file takes the place of what an earlier one says of the same registry.
            told = [mirrors_of(name, path, self.machine.look(path)) for path in files]
            last = next((mirrors for mirrors in reversed(told) if mirrors), [])
            found = [one for one in last if one.partition("/")[0] in authorities]
            if found:
                yield ok("podman", f"registries.conf has {found[0]} as a mirror of {name}")
            else:
                yield self._unset("podman", f"registries.conf, for {name},")

    def _k3s(self) -> Iterator[Finding]:
        text = (self.machine.look(_K3S) or b"").decode(errors="replace")
        url = next((url for url in self.urls if url in text), None)
        yield self._unset("k3s", str(_K3S)) if url is None else ok("k3s", f"{_K3S} has {url}")

    def _known(self, found: Collection[str]) -> str | None:
        return next((one for one in found if one.rstrip("/") in self.urls), None)

    def _unset(self, key: str, where: str) -> Finding:
        return warn(
            key,
            f"{key} is not set up to use the mirror: {where} does not name it",
            self._command(key),
        )

    def _command(self, key: str) -> str:
        url = next(iter(self.urls), "URL")
        return f"hubmirror setup {key} --host {url}"


def _docker_proxy(daemon: dict[str, Any], url: str) -> Iterator[Finding]:
    """Dockerd's own proxy is not on the way to the mirror, if it knows that."""
    proxies = daemon.get("proxies")
    if not isinstance(proxies, dict):
        return
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)
    if proxies.get(f"{parts.scheme}-proxy") and not bypasses(
        str(proxies.get("no-proxy") or ""), host, port
    ):
        yield warn(
            "docker",
            f"dockerd goes to {url} by a proxy",
            f'put {host} into "no-proxy" among the "proxies" in daemon.json',
        )
