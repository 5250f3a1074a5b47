"""Parsers of the tables that only the file can hold: networks, clients' limits, reserves.

A parser raises ``ValueError`` with what is wrong with the whole, or ``PartsInvalid`` with all that
is wrong within it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import frozen

from hubmirror.config.addresses import networks
from hubmirror.config.nearest import nearest
from hubmirror.config.problems import PartsInvalid, Problem
from hubmirror.config.sizes import share, size
from hubmirror.config.values import shown, text, texts, whole_number
from hubmirror.quota.rules import ClientLimits, Network, Reserve

__all__ = ["Field", "client_limits", "is_name", "named_networks", "parsed_all", "reserves"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST: Final = 10**12


@frozen
class Field:
    """A key of a table: how its value is read, and what is allowed."""

    parse: Callable[[object], object]
    allowed: str


def named_networks(raw: object) -> Mapping[str, tuple[Network, ...]]:
    """A table of names, each with a network or a list of networks."""
    found: dict[str, tuple[Network, ...]] = {}
    problems = []
    for name, value in _table(raw).items():
        try:
            found[_name(name)] = networks(value)
        except ValueError as error:
            problems.append(Problem(f".{_key(name)}", str(error), _NETWORKS))
    if problems:
        raise PartsInvalid(problems)
    return found


def client_limits(raw: object) -> tuple[ClientLimits, ...]:
    """A list of tables; no two may be for the same clients."""
    tables = parsed_all(raw, _CLIENT, _wrong_with_client)
    found = tuple(ClientLimits(**table) for table in tables)
    whom = [(one.network, one.user) for one in found]
    twice = [
        Problem(f"[{number}]", f"it is for the same clients as [{whom.index(one)}]")
        for number, one in enumerate(whom)
        if whom.index(one) != number
    ]
    if twice:
        raise PartsInvalid(twice)
    return found


def reserves(raw: object) -> tuple[Reserve, ...]:
    """A list of tables, whose shares are 100 percent at most together."""
    tables = parsed_all(raw, _RESERVE, _wrong_with_reserve)
    found = tuple(
        Reserve(table["share"].percent, table.get("networks", ()), table.get("users", ()))
        for table in tables
    )
    if round(sum(one.share for one in found), 6) > 100:  # 33.3 and its kin are no exact floats
        raise ValueError("together they are more than 100%")
    return found


def _amount() -> Field:
    return Field(whole_number(0, _MOST), f"a whole number from 0 to {_MOST}; 0: no limit")


def _bytes() -> Field:
    return Field(size, "bytes, or text such as 50GiB or 50GB; 0: no limit")


def _some_text(raw: object) -> str:
    written = text(raw)
    if not written:
        raise ValueError("it is empty")
    return written


def _name(raw: str) -> str:
    if not _NAME.fullmatch(raw):
        raise ValueError("it is not a name of letters, digits, -, _ and dots, 64 at most")
    return raw


_NETWORKS: Final = "addresses and networks in CIDR notation, such as 10.0.0.0/8"
_CLIENT: Final[Mapping[str, Field]] = {
    "network": Field(_some_text, "a name of [networks]"),
    "user": Field(_some_text, "a user's name"),
    "requests_per_day": _amount(),
    "requests_per_minute": _amount(),
    "bytes_per_day": _bytes(),
    "bytes_per_minute": _bytes(),
}
_RESERVE: Final[Mapping[str, Field]] = {
    "share": Field(share, "a share such as 20%"),
    "networks": Field(texts, "names of [networks]"),
    "users": Field(texts, "users' names"),
}


def _wrong_with_client(values: Mapping[str, Any]) -> str:
    if "network" in values and "user" in values:
        return "network and user are both set: a table is for one of them"
    if not values.keys() - {"network", "user"}:
        return "it limits nothing"
    return ""


def _wrong_with_reserve(values: Mapping[str, Any]) -> str:
    if "share" not in values:
        return "share is missing"
    if not values.get("networks") and not values.get("users"):
        return "networks or users are missing: nobody could spend it"
    return ""


def is_name(written: str) -> bool:
    """Whether it may be a network's name."""
    return _NAME.fullmatch(written) is not None


def parsed_all(
    raw: object,
    fields: Mapping[str, Field],
    wrong_with: Callable[[Mapping[str, Any]], str],
) -> list[dict[str, Any]]:
    """The values of each table; ``wrong_with`` looks at those whose values are right by themselves.

    Raises ``PartsInvalid``.
    """
    if not isinstance(raw, list):
        raise ValueError(f"{shown(raw)} is not a list of tables")
    parsed: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for number, table in enumerate(raw):
        at = f"[{number}]"
        values, wrong = _parsed(table, fields, at)
        problems += wrong
        parsed.append(values)
        reason = "" if wrong else wrong_with(values)
        if reason:
            problems.append(Problem(at, reason))
    if problems:
        raise PartsInvalid(problems)
    return parsed


def _parsed(
    raw: object, fields: Mapping[str, Field], at: str
) -> tuple[dict[str, Any], list[Problem]]:
    """The values of one table, and what is wrong with the others."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    try:
        table = _table(raw)
    except ValueError as error:
        return values, [Problem(at, str(error))]
    for name, value in table.items():
        field = fields.get(name)
        key = f"{at}.{_key(name)}"
        if field is None:
            problems.append(Problem(key, f"there is no such key{_meant(name, fields)}"))
            continue
        try:
            values[name] = field.parse(value)
        except ValueError as error:
            problems.append(Problem(key, str(error), field.allowed))
    return values, problems


def _meant(name: str, known: Mapping[str, Field]) -> str:
    match = nearest(name, known)
    return f"; did you mean {match}?" if match else ""


def _key(name: str) -> str:
    """``name`` as a part of a key, on one line."""
    return name if _NAME.fullmatch(name) else shown(name)


def _table(raw: object) -> Mapping[str, object]:
    if not isinstance(raw, dict):
        raise ValueError(f"{shown(raw)} is not a table")
    return raw
