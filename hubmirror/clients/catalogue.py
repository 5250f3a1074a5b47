"""All clients that there is a set-up for, and each one's as text to copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from hubmirror.clients.address import DOCKER_HUB, MirrorAddress
from hubmirror.clients.buildkit import BUILDKIT
from hubmirror.clients.containerd import CONTAINERD, NERDCTL
from hubmirror.clients.docker import DOCKER, is_for_docker
from hubmirror.clients.files import Client
from hubmirror.clients.k3s import K3S
from hubmirror.clients.podman import CRIO, PODMAN

__all__ = ["CLIENTS", "ClientSetup", "client_setups"]

#: By the words that a command line takes.
CLIENTS: Final = {
    one.key: one for one in (DOCKER, CONTAINERD, PODMAN, BUILDKIT, K3S, CRIO, NERDCTL)
}
#: Those that are shown. CRI-O is set up as podman is, nerdctl as containerd.
_SHOWN: Final = (DOCKER, CONTAINERD, PODMAN, K3S, BUILDKIT)


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


def client_setups(url: str, registries: tuple[str, ...] = (DOCKER_HUB,)) -> list[ClientSetup]:
    """The set-up of every client for the mirror at ``url``, a scheme and an authority.

    The first of ``registries`` is that of names which have none in front. A client that wants a
    file for each has a set-up for each.
    """
    mirror = MirrorAddress(url, registries, default=registries[0])
    return [setup for client in _SHOWN for setup in _setups(client, mirror)]


def _setups(client: Client, mirror: MirrorAddress) -> Iterator[ClientSetup]:
    if client is DOCKER and not is_for_docker(mirror):
        return
    files = [one for one in client.files(mirror, client.place, lambda _: None) if one.is_snippet]
    for number, file in enumerate(files):
        key, name = client.key, client.name
        if number:
            key, name = f"{key}-{number}", f"{name}, {file.path.parent.name}"
        yield ClientSetup(key, name, str(file.path), file.merge(None).decode(), file.then)
