"""BuildKit: ``buildkitd.toml``. Source: BuildKit's docs/buildkitd.toml.md.

It asks as containerd does, so which registry is meant it tells the mirror by ``?ns=``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Final

from hubmirror.clients.address import MirrorAddress
from hubmirror.clients.files import Client, ClientFile, Look, fixed
from hubmirror.clients.toml_file import Keys, list_at, read_toml, with_values

__all__ = ["BUILDKIT"]

_PLACE: Final = PurePosixPath("/etc/buildkit/buildkitd.toml")


def _files(mirror: MirrorAddress, place: PurePosixPath, _look: Look) -> Iterator[ClientFile]:
    ca = place.parent / "hubmirror.crt"
    if mirror.ca is not None:
        yield ClientFile(ca, fixed(mirror.ca))
    then = f"docker buildx create --use --buildkitd-config {place}"
    yield ClientFile(place, _merged(mirror, place, ca), then, is_snippet=True)


def _merged(
    mirror: MirrorAddress, path: PurePosixPath, ca: PurePosixPath
) -> Callable[[bytes | None], bytes]:
    def merge(before: bytes | None) -> bytes:
        if before is None or not before.strip():
            return _text(mirror, ca).encode()
        document = read_toml(path, before)
        values: dict[Keys, object] = {}
        for name in mirror.registries:
            keys = ("registry", name, "mirrors")
            others = [one for one in list_at(document, keys) if one != mirror.authority]
            values[keys] = [mirror.authority, *others]
        if mirror.is_plain:
            values["registry", mirror.authority, "http"] = True
        if mirror.ca is not None:
            values["registry", mirror.authority, "ca"] = [str(ca)]
        return with_values(path, before, values)

    return merge


def _text(mirror: MirrorAddress, ca: PurePosixPath) -> str:
    tables = [
        f'[registry."{name}"]\n  mirrors = ["{mirror.authority}"]\n' for name in mirror.registries
    ]
    if mirror.is_plain:
        tables.append(f'[registry."{mirror.authority}"]\n  http = true\n')
    elif mirror.ca is not None:
        tables.append(f'[registry."{mirror.authority}"]\n  ca = ["{ca}"]\n')
    return "\n".join(tables)


BUILDKIT = Client("buildkit", "BuildKit", _PLACE, _files)
