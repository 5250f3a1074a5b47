"""docker: ``registry-mirrors`` in ``daemon.json``, and the CA in ``certs.d``.

Sources: dockerd's reference, "Daemon configuration file"; "Verify repository client with
certificates". Both keys that are set here are among those that dockerd reads again on SIGHUP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from hubmirror.clients.address import DOCKER_HUB, MirrorAddress
from hubmirror.clients.files import Client, ClientFile, Look, SetupError, fixed
from hubmirror.clients.json_file import read_object, texts_of, write_object

__all__ = ["DOCKER", "is_for_docker", "mirrors_in"]

_CERTIFICATES = PurePosixPath("/etc/docker/certs.d")


def mirrors_in(path: PurePosixPath, content: bytes | None) -> list[str]:
    """The ``registry-mirrors`` of a ``daemon.json``. Raises ``SetupError``."""
    return texts_of(path, read_object(path, content), "registry-mirrors")


def is_for_docker(mirror: MirrorAddress) -> bool:
    """Whether docker can use it: it asks for Docker Hub's images without a registry's name."""
    return mirror.default == DOCKER_HUB and DOCKER_HUB in mirror.registries


def _files(mirror: MirrorAddress, place: PurePosixPath, _look: Look) -> Iterator[ClientFile]:
    if not is_for_docker(mirror):
        raise SetupError("docker has mirrors for Docker Hub alone, which this is none of")
    is_rootless = place.parts[-3:-1] == (".config", "docker")
    if mirror.ca is not None:
        folder = place.parent / "certs.d" if is_rootless else _CERTIFICATES
        yield ClientFile(folder / mirror.authority / "ca.crt", fixed(mirror.ca))
    yield ClientFile(place, _merged(mirror, place), _reload(place, is_rootless), is_snippet=True)


def _merged(mirror: MirrorAddress, path: PurePosixPath) -> Callable[[bytes | None], bytes]:
    def merge(before: bytes | None) -> bytes:
        daemon = read_object(path, before)
        _add(daemon, path, "registry-mirrors", mirror.url)
        if mirror.is_plain and not mirror.is_loopback:  # which docker trusts without TLS
            _add(daemon, path, "insecure-registries", mirror.authority)
        return write_object(daemon, before)

    return merge


def _add(daemon: dict[str, object], path: PurePosixPath, key: str, value: str) -> None:
    """Put ``value`` first in the list: docker asks them in their order."""
    others = [one for one in texts_of(path, daemon, key) if one.rstrip("/") != value]
    daemon[key] = [value, *others]


def _reload(place: PurePosixPath, is_rootless: bool) -> str:
    if is_rootless:
        return "systemctl --user reload docker"
    return "snap restart docker" if "snap" in place.parts else "systemctl reload docker"


def _notes(mirror: MirrorAddress) -> Iterator[str]:
    if mirror.is_plain and not mirror.is_loopback:
        yield (
            "dockerd sends its users' stored Docker Hub logins to a mirror, here in the clear:"
            " better give the mirror TLS"
        )
    for registry in mirror.registries:
        if registry != DOCKER_HUB:
            yield (
                f"docker has mirrors for Docker Hub alone; for {registry} name the mirror:"
                f" docker pull {mirror.authority}/{registry}/NAME"
            )


DOCKER = Client("docker", "docker", PurePosixPath("/etc/docker/daemon.json"), _files, _notes)
