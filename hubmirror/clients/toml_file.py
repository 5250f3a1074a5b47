"""A file of TOML that is somebody else's: values set in it, comments and all else kept."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any

from hubmirror.clients.files import SetupError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Keys", "list_at", "read_toml", "table_at", "value_at", "with_values"]

#: The way to a value: the names of the tables that it is in, and its own.
Keys = tuple[str, ...]


def read_toml(path: PurePosixPath, content: bytes | None) -> dict[str, Any]:
    """What ``content`` says, nothing where there is none. Raises ``SetupError``."""
    try:
        return tomllib.loads((content or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SetupError(f"{path} is not valid TOML: {error}; mend it first") from None


def value_at(document: Mapping[str, Any], keys: Keys) -> Any:
    """The value there, None where it is missing, or a table on the way is none."""
    found: Any = document
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def table_at(document: Mapping[str, Any], keys: Keys) -> Mapping[str, Any]:
    """The table there, an empty one for all else."""
    found = value_at(document, keys)
    return found if isinstance(found, Mapping) else {}


def list_at(document: Mapping[str, Any], keys: Keys) -> list[Any]:
    """The list there; a value alone counts as a list of one, a missing one as empty."""
    found = value_at(document, keys)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def with_values(path: PurePosixPath, content: bytes, values: Mapping[Keys, object]) -> bytes:
    """``content`` with ``values`` set. Raises ``SetupError``, also where that would harm others.

    What comes out is read again and compared: whatever tomlkit may make of a file that is written
    in an unusual way, a value that is not in ``values`` stays what it was.
    """
    expected = deepcopy(read_toml(path, content))
    try:
        for keys, value in values.items():
            _table(expected, keys[:-1])[keys[-1]] = value
        changed = _edited(content.decode("utf-8-sig"), values)
        is_right = tomllib.loads(changed) == expected
    except Exception:  # tomlkit's errors are of many kinds
        is_right = False
    if not is_right:
        wanted = "; ".join(f"{'.'.join(keys)} = {value!r}" for keys, value in values.items())
        raise SetupError(f"{path} can't be changed without harm: set in it by hand {wanted}")
    return changed.encode()


def _table(document: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    for key in keys:
        document = document.setdefault(key, {})
    return document


def _edited(text: str, values: Mapping[Keys, object]) -> str:
    # Not before it is needed: who only shows a snippet does without it.
    import tomlkit

    document = tomlkit.parse(text)
    for keys, value in values.items():
        table: Any = document
        for depth, key in enumerate(keys[:-1]):
            if key not in table:
                is_last = depth == len(keys) - 2
                table[key] = tomlkit.table(is_super_table=not is_last)
            table = table[key]
        table[keys[-1]] = value
    return tomlkit.dumps(document)
