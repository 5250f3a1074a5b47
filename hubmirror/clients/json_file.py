"""A file of JSON that is somebody else's: read without a loss, and written in its own style."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, NoReturn

from hubmirror.clients.files import SetupError

__all__ = ["read_object", "texts_of", "write_object"]

_INDENT = re.compile(r"^([ \t]+)\S", re.MULTILINE)


class _Verbatim(float):
    """A number with a fraction, which is written as it was read."""

    text: str

    def __new__(cls, text: str) -> _Verbatim:
        number = super().__new__(cls, text)
        number.text = text
        return number


def read_object(path: PurePosixPath, content: bytes | None) -> dict[str, Any]:
    """The object in ``content``, empty where there is nothing. Raises ``SetupError``.

    What a program could read but not write again (a key that stands twice, ``NaN``) is an error.
    """
    try:
        text = (content or b"").decode("utf-8-sig")
        found = json.loads(
            text if text.strip() else "{}",
            object_pairs_hook=_object,
            parse_float=_Verbatim,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError) as error:
        raise SetupError(f"{path} is not valid JSON: {error}; mend it first") from None
    if not isinstance(found, dict):
        raise SetupError(f"{path} holds JSON that is no object; mend it first")
    return found


def texts_of(path: PurePosixPath, value: Mapping[str, Any], key: str) -> list[str]:
    """The list of texts under ``key``, empty where it is missing. Raises ``SetupError``."""
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise SetupError(f"{path} has a {key} that is no list of texts; mend it first")
    return found


def write_object(value: Mapping[str, Any], before: bytes | None = None) -> bytes:
    """``value`` as JSON, indented as ``before`` was."""
    match = _INDENT.search((before or b"").decode("utf-8-sig"))
    text = "".join(_written(value, match[1] if match else "  ", "\n"))
    return f"{text}\n".encode()


def _written(value: object, indent: str, line: str) -> Iterator[str]:
    """``line`` is the line break and what the line of ``value`` begins with.

    The library's own encoder would round a number that has more digits than a float.
    """
    if isinstance(value, Mapping) and value:
        pairs = (
            [f"{_plain(key)}: ", *_written(of, indent, line + indent)] for key, of in value.items()
        )
        yield from _between("{}", pairs, indent, line)
    elif isinstance(value, list) and value:
        yield from _between(
            "[]", (_written(of, indent, line + indent) for of in value), indent, line
        )
    else:
        yield value.text if isinstance(value, _Verbatim) else _plain(value)


def _between(
    brackets: str, items: Iterable[Iterable[str]], indent: str, line: str
) -> Iterator[str]:
    yield brackets[0]
    for number, item in enumerate(items):
        yield f"{',' if number else ''}{line}{indent}"
        yield from item
    yield f"{line}{brackets[1]}"


def _plain(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can write
        return json.dumps(value)
    return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {json.dumps(twice)} stands twice in it")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value in it")
