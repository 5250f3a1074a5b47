"""containerd and nerdctl: a ``hosts.toml`` for each registry, and the way to them.

Source: containerd's docs/hosts.md and docs/cri/registry.md. Which registry is meant containerd
itself tells the mirror, by ``?ns=``. A ``ca`` that is no absolute path begins at the folder of
its ``hosts.toml``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from hubmirror.clients.address import MirrorAddress, server_of
from hubmirror.clients.files import Client, ClientFile, Look, SetupError, fixed
from hubmirror.clients.toml_file import Keys, list_at, read_toml, table_at, value_at, with_values

__all__ = ["CONTAINERD", "NERDCTL", "hosts_in", "way_for_kubernetes"]

_CONFIGURATION: Final = PurePosixPath("/etc/containerd/config.toml")
_HOSTS: Final = PurePosixPath("/etc/containerd/certs.d")
_CA: Final = "hubmirror.crt"
_CAPABILITIES: Final = ("pull", "resolve")
_RESTART: Final = "systemctl restart containerd"
#: The plugin that pulls for Kubernetes, by the version of the configuration's form.
_PLUGINS: Final = {1: "cri", 2: "io.containerd.grpc.v1.cri"}
_LATEST_PLUGIN: Final = "io.containerd.cri.v1.images"
_NEW_CONFIGURATION: Final = """\
version = 2

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{folder}"
"""


def hosts_in(path: PurePosixPath, content: bytes | None) -> list[str]:
    """The hosts that a ``hosts.toml`` names, the first to be asked first. ``SetupError``."""
    return list(table_at(read_toml(path, content), ("host",)))


def way_for_kubernetes(look: Look) -> PurePosixPath | None:
    """The folder where containerd looks for Kubernetes; None where it is shown none.

    Without Kubernetes it is the usual one. Raises ``SetupError``.
    """
    content = look(_CONFIGURATION)
    if _is_without_kubernetes(content):
        return _HOSTS
    keys = (*_registry_in(content), "config_path")
    in_use = str(value_at(read_toml(_CONFIGURATION, content), keys) or "")
    return PurePosixPath(in_use.split(":")[0]) if in_use else None


def _containerd(mirror: MirrorAddress, place: PurePosixPath, look: Look) -> Iterator[ClientFile]:
    way = way_for_kubernetes(look)
    folder = place if way is None or place != _HOSTS else way
    yield from _hosts_files(mirror, folder, look)
    if way is None:
        configured = _configured(_registry_in(look(_CONFIGURATION)), folder)
        yield ClientFile(_CONFIGURATION, configured, _RESTART)


def _hosts_files(mirror: MirrorAddress, place: PurePosixPath, _look: Look) -> Iterator[ClientFile]:
    # The default's first: where a page has room for one, it is that.
    for name in sorted(mirror.registries, key=lambda name: name != mirror.default):
        folder = place / name
        if mirror.ca is not None:
            yield ClientFile(folder / _CA, fixed(mirror.ca))
        path = folder / "hosts.toml"
        yield ClientFile(path, _merged(mirror, name, path), is_snippet=True)


def _merged(
    mirror: MirrorAddress, name: str, path: PurePosixPath
) -> Callable[[bytes | None], bytes]:
    def merge(before: bytes | None) -> bytes:
        if before is None or not before.strip():
            return f'server = "{server_of(name)}"\n\n{_host_table(mirror)}'.encode()
        hosts = table_at(read_toml(path, before), ("host",))
        if mirror.url in hosts:
            return with_values(path, before, _host_values(mirror, hosts[mirror.url]))
        return _with_first_table(path, before, mirror)

    return merge


def _host_table(mirror: MirrorAddress) -> str:
    trust = f'  ca = "{_CA}"\n' if mirror.ca is not None else ""
    return f'[host."{mirror.url}"]\n  capabilities = ["pull", "resolve"]\n{trust}'


def _host_values(mirror: MirrorAddress, host: Mapping[str, Any]) -> dict[Keys, object]:
    before = list_at(host, ("capabilities",))
    missing = [one for one in _CAPABILITIES if one not in before]
    values: dict[Keys, object] = {}
    if before and missing:  # without any, a host has all
        values["host", mirror.url, "capabilities"] = [*before, *missing]
    if mirror.ca is not None:
        values["host", mirror.url, "ca"] = _CA
    return values


def _with_first_table(path: PurePosixPath, before: bytes, mirror: MirrorAddress) -> bytes:
    """``before`` with the mirror as its first host: they are asked in their order."""
    text = before.decode("utf-8-sig")
    at = _first_header(text)
    head, tail = text[:at], text[at:]
    gap = "" if not head or head.endswith("\n\n") else "\n" if head.endswith("\n") else "\n\n"
    changed = f"{head}{gap}{_host_table(mirror)}{chr(10) if tail else ''}{tail}".encode()
    try:
        if hosts_in(path, changed) == [mirror.url, *hosts_in(path, before)]:
            return changed
    except SetupError:  # a table of hosts on one line, to which no other can be added
        pass
    raise SetupError(
        f"{path} can't be changed without harm: add to it by hand\n{_host_table(mirror)}"
    )


def _first_header(text: str) -> int:
    """Where the first table begins, the comment before it included; the end without any."""
    for match in re.finditer(r"^(?:[ \t]*#.*\n)*[ \t]*\[", text, re.MULTILINE):
        try:
            read_toml(PurePosixPath(), text[: match.start()].encode())
        except SetupError:  # in the midst of a list, or of a text
            continue
        return match.start()
    return len(text)


def _registry_in(content: bytes | None) -> Keys:
    """Where a ``config.toml`` has what Kubernetes' registries are like."""
    version = value_at(read_toml(_CONFIGURATION, content), ("version",))
    number = version if isinstance(version, int) else 2 if content is None else 1
    return ("plugins", _PLUGINS.get(number, _LATEST_PLUGIN), "registry")


def _is_without_kubernetes(content: bytes | None) -> bool:
    disabled = list_at(read_toml(_CONFIGURATION, content), ("disabled_plugins",))
    return bool({"cri", *_PLUGINS.values(), _LATEST_PLUGIN}.intersection(map(str, disabled)))


def _configured(registry: Keys, folder: PurePosixPath) -> Callable[[bytes | None], bytes]:
    def merge(before: bytes | None) -> bytes:
        if before is None or not before.strip():
            return _NEW_CONFIGURATION.format(folder=folder).encode()
        found = table_at(read_toml(_CONFIGURATION, before), registry)
        tls = [name for name, of in table_at(found, ("configs",)).items() if value_at(of, ("tls",))]
        if found.get("mirrors") or tls:
            raise SetupError(
                f"{_CONFIGURATION} has mirrors or TLS of registries in itself, and containerd"
                " takes no config_path beside them: move them into hosts.toml files first"
            )
        return with_values(_CONFIGURATION, before, {(*registry, "config_path"): str(folder)})

    return merge


CONTAINERD = Client("containerd", "containerd", _HOSTS, _containerd)
NERDCTL = Client("nerdctl", "nerdctl", _HOSTS, _hosts_files)
