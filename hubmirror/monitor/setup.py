"""What each client's configuration holds so that it pulls Docker Hub's images through a mirror."""

from __future__ import annotations

import json

from attrs import frozen

__all__ = ["ClientSetup", "client_setups"]


@frozen
class ClientSetup:
    """``text`` goes into ``file``, and ``then`` is the command that makes ``client`` read it.

    ``key`` is ``client`` as an identifier; ``then`` is None where nothing need be done.
    """

    key: str
    client: str
    file: str
    text: str
    then: str | None = None


def client_setups(url: str) -> list[ClientSetup]:
    """The set-up of every client for the mirror at ``url``, a scheme and an authority."""
    return [_docker(url), _containerd(url), _podman(url), _k3s(url), _buildkit(url)]


def _docker(url: str) -> ClientSetup:
    scheme, _, host = url.partition("://")
    daemon: dict[str, list[str]] = {"registry-mirrors": [url]}
    trusted = host.startswith(("127.", "localhost", "[::1]"))  # by docker, without TLS
    if scheme == "http" and not trusted:
        daemon["insecure-registries"] = [host]
    text = json.dumps(daemon, indent=2) + "\n"
    then = "systemctl restart docker"
    return ClientSetup("docker", "docker", "/etc/docker/daemon.json", text, then)


def _containerd(url: str) -> ClientSetup:
    text = (
        'server = "https://registry-1.docker.io"\n\n'
        f'[host."{url}"]\n  capabilities = ["pull", "resolve"]\n'
    )
    file = "/etc/containerd/certs.d/docker.io/hosts.toml"
    return ClientSetup("containerd", "containerd", file, text)


def _podman(url: str) -> ClientSetup:
    scheme, _, host = url.partition("://")
    text = f'[[registry]]\nlocation = "docker.io"\n\n[[registry.mirror]]\nlocation = "{host}"\n'
    if scheme == "http":
        text += "insecure = true\n"
    name = "podman, buildah, skopeo"
    return ClientSetup("podman", name, "/etc/containers/registries.conf", text)


def _k3s(url: str) -> ClientSetup:
    text = f'mirrors:\n  docker.io:\n    endpoint:\n      - "{url}"\n'
    then = "systemctl restart k3s"
    return ClientSetup("k3s", "k3s", "/etc/rancher/k3s/registries.yaml", text, then)


def _buildkit(url: str) -> ClientSetup:
    scheme, _, host = url.partition("://")
    text = f'[registry."docker.io"]\n  mirrors = ["{host}"]\n'
    if scheme == "http":
        text += f'\n[registry."{host}"]\n  http = true\n'
    file = "/etc/buildkit/buildkitd.toml"
    then = f"docker buildx create --use --buildkitd-config {file}"
    return ClientSetup("buildkit", "BuildKit", file, text, then)
