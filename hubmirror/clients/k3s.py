"""k3s: ``registries.yaml``. Source: K3s, "Private Registry Configuration".

k3s makes containerd's ``hosts.toml`` of it, so which registry is meant comes by ``?ns=``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from io import StringIO
from pathlib import PurePosixPath
from typing import Any, Final

from hubmirror.clients.address import MirrorAddress
from hubmirror.clients.files import Client, ClientFile, Look, SetupError, fixed

__all__ = ["K3S"]

_PLACE: Final = PurePosixPath("/etc/rancher/k3s/registries.yaml")
_THEN: Final = "systemctl restart k3s"


def _files(mirror: MirrorAddress, place: PurePosixPath, _look: Look) -> Iterator[ClientFile]:
    ca = place.parent / "hubmirror.crt"
    if mirror.ca is not None:
        yield ClientFile(ca, fixed(mirror.ca))
    yield ClientFile(place, _merged(mirror, place, ca), _THEN, is_snippet=True)


def _merged(
    mirror: MirrorAddress, path: PurePosixPath, ca: PurePosixPath
) -> Callable[[bytes | None], bytes]:
    def merge(before: bytes | None) -> bytes:
        if before is None or not before.strip():
            return _text(mirror, ca).encode()
        try:
            return _edited(before.decode("utf-8-sig"), mirror, ca).encode()
        except SetupError as error:
            raise SetupError(f"{path} {error}") from None

    return merge


def _text(mirror: MirrorAddress, ca: PurePosixPath) -> str:
    text = "mirrors:\n" + "".join(
        f'  {name}:\n    endpoint:\n      - "{mirror.url}"\n' for name in mirror.registries
    )
    if mirror.ca is not None:
        text += f'configs:\n  "{mirror.authority}":\n    tls:\n      ca_file: {ca}\n'
    return text


def _edited(text: str, mirror: MirrorAddress, ca: PurePosixPath) -> str:
    # Not before it is needed: who only shows a snippet does without it.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.util import load_yaml_guess_indent

    try:
        _, indent, offset = load_yaml_guess_indent(text)
        yaml = YAML()
        yaml.preserve_quotes = True
        yaml.width = 1 << 20  # a long line stays one
        yaml.indent(mapping=indent or 2, sequence=(indent or 2) + (offset or 0), offset=offset or 0)
        document = yaml.load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise SetupError(f"is not valid YAML: {_where(error)}; mend it first") from None
    document = {} if document is None else document
    _add(document, mirror, ca)
    written = StringIO()
    yaml.dump(document, written)
    return written.getvalue()


def _where(error: Exception) -> str:
    """What the parser says on one line, with the line that it speaks of."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return what if mark is None else f"{what} (line {mark.line + 1})"


def _add(document: Any, mirror: MirrorAddress, ca: PurePosixPath) -> None:
    for name in mirror.registries:
        registry = _mapping(document, "mirrors", name)
        others = registry.get("endpoint") or []
        if not isinstance(others, list):
            raise SetupError(f"has an endpoint of {name} that is no list; mend it first")
        if mirror.url in others:
            others.remove(mirror.url)
        if registry.get("endpoint"):
            others.insert(0, mirror.url)
        else:
            registry["endpoint"] = [mirror.url]
    if mirror.ca is not None:
        _mapping(document, "configs", mirror.authority, "tls")["ca_file"] = str(ca)


def _mapping(document: Any, *keys: str) -> MutableMapping[str, Any]:
    """The mapping there, made where it is missing. Raises ``SetupError`` for other things."""
    found = _checked(document)
    for key in keys:
        if found.get(key) is None:
            found[key] = {}
        found = _checked(found[key])
    return found


def _checked(value: Any) -> MutableMapping[str, Any]:
    if not isinstance(value, MutableMapping):
        raise SetupError("has a value where k3s wants a mapping; mend it first")
    return value


K3S = Client("k3s", "k3s", _PLACE, _files)
