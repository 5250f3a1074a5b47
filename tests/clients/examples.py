"""Mirrors, and clients' files before a setup."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from hubmirror.clients.address import MirrorAddress
from hubmirror.clients.catalogue import CLIENTS
from hubmirror.clients.files import Client, ClientFile

__all__ = ["BEFORE", "CA", "SECURE", "TWO", "URL", "file_of", "files_of", "merged"]

URL = "https://hub.example:5443"
CA = b"-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n"
SECURE = MirrorAddress(URL, ca=CA)
TWO = MirrorAddress(URL, ("docker.io", "ghcr.io"))

#: By client, the file that its setup has to add to, with what a person may have put there.
BEFORE: Mapping[str, tuple[str, bytes]] = {
    "docker": (
        "/etc/docker/daemon.json",
        b'{\n\t"log-driver": "json-file",\n\t"registry-mirrors": ["https://other.example/"]}',
    ),
    "containerd": (
        "/etc/containerd/certs.d/docker.io/hosts.toml",
        b'# mine\nserver = "https://registry-1.docker.io"\n[host."https://other.example"]\n',
    ),
    "podman": ("/etc/containers/registries.conf.d/hubmirror.conf", b"# mine\n"),
    "buildkit": (
        "/etc/buildkit/buildkitd.toml",
        b'[registry."docker.io"]\n  # why\n  mirrors = ["other.example"]\n',
    ),
    "k3s": (
        "/etc/rancher/k3s/registries.yaml",
        b"# mine\nmirrors:\n  docker.io: # hub\n    endpoint:\n    - 'https://other.example'\n",
    ),
    "crio": ("/etc/containers/registries.conf.d/hubmirror.conf", b"# mine\n"),
    "nerdctl": ("/etc/containerd/certs.d/docker.io/hosts.toml", b'ca = "mine.crt"'),
}


def files_of(
    key: str,
    mirror: MirrorAddress,
    there: Mapping[str, bytes] | None = None,
    place: str | None = None,
) -> list[ClientFile]:
    """What a client's setup writes on a machine with the files ``there``."""
    client: Client = CLIENTS[key]
    where = client.place if place is None else PurePosixPath(place)
    return list(client.files(mirror, where, lambda path: (there or {}).get(str(path))))


def file_of(
    key: str, path: str, mirror: MirrorAddress, there: Mapping[str, bytes] | None = None
) -> ClientFile:
    """The one at ``path``."""
    return next(file for file in files_of(key, mirror, there) if str(file.path) == path)


def merged(key: str, path: str, mirror: MirrorAddress, before: str | None = None) -> str:
    """What is written to ``path`` where ``before`` stood."""
    content = None if before is None else before.encode()
    there = {} if content is None else {path: content}
    return file_of(key, path, mirror, there).merge(content).decode()
