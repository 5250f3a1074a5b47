"""podman, buildah, skopeo and CRI-O: a drop-in for ``registries.conf``, and the CA in ``certs.d``.

Sources: containers-registries.conf(5), containers-registries.conf.d(5), containers-certs.d(5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Final

from hubmirror.clients.address import MirrorAddress
from hubmirror.clients.files import Client, ClientFile, Look, fixed
from hubmirror.clients.toml_file import list_at, read_toml

__all__ = ["CRIO", "PODMAN", "mirrors_of"]

_PLACE: Final = PurePosixPath("/etc/containers/registries.conf.d/hubmirror.conf")
_CERTIFICATES: Final = PurePosixPath("/etc/containers/certs.d")


def mirrors_of(registry: str, path: PurePosixPath, content: bytes | None) -> list[str]:
    """The mirrors of ``registry`` by a ``registries.conf``, without a scheme. ``SetupError``."""
    tables = [one for one in list_at(read_toml(path, content), ("registry",)) if _is(one, registry)]
    mirrors = [mirror for table in tables for mirror in list_at(table, ("mirror",))]
    return [str(mirror.get("location")) for mirror in mirrors if isinstance(mirror, dict)]


def _is(table: object, registry: str) -> bool:
    return isinstance(table, dict) and registry in (table.get("prefix"), table.get("location"))


def _files(then: str | None) -> Callable[[MirrorAddress, PurePosixPath, Look], list[ClientFile]]:
    def files(mirror: MirrorAddress, place: PurePosixPath, _look: Look) -> list[ClientFile]:
        trust = _CERTIFICATES / mirror.authority / "ca.crt"
        return [
            *([] if mirror.ca is None else [ClientFile(trust, fixed(mirror.ca))]),
            ClientFile(place, fixed(_text(mirror)), then, is_snippet=True),
        ]

    return files


def _text(mirror: MirrorAddress) -> str:
    return "\n".join(_tables(mirror))


def _tables(mirror: MirrorAddress) -> Iterator[str]:
    """A table for each registry. It is named in the mirror's path, but for the default one."""
    insecure = "insecure = true\n" if mirror.is_plain else ""
    for name in mirror.registries:
        location = mirror.authority if name == mirror.default else f"{mirror.authority}/{name}"
        yield (
            f'[[registry]]\nlocation = "{name}"\n\n'
            f'[[registry.mirror]]\nlocation = "{location}"\n{insecure}'
        )


PODMAN = Client("podman", "podman, buildah, skopeo", _PLACE, _files(None))
CRIO = Client("crio", "CRI-O", _PLACE, _files("systemctl reload crio"))
