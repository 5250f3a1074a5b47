"""``hubmirror check``: the configuration in force, or all that is wrong with it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import asdict

from hubmirror.access.rules import Rule
from hubmirror.cli.operating.settings import settings_parser
from hubmirror.config import SETTINGS, Loaded
from hubmirror.options import Options
from hubmirror.quota.rules import ClientLimits, Reserve

__all__ = ["main", "make_parser", "summary"]

summary = "show the configuration in force and where each value came from, or every error"


def main(arguments: Sequence[str]) -> int:
    """Print the table of settings; ``SystemExit(2)`` after a word on each problem."""
    options = Options("hubmirror check")
    options.parseOptions(arguments)
    print("\n".join(_table(options.loaded)))
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The verb's arguments, to be shown: ``main`` has them parsed by ``Options``."""
    return settings_parser("hubmirror check", summary)


def _table(loaded: Loaded) -> list[str]:
    rows = [("KEY", "VALUE", "FROM")]
    for setting in SETTINGS:
        first, *more = _written(getattr(loaded.config, setting.name), setting.default)
        rows.append((setting.name, first, loaded.sources[setting.name]))
        rows += [("", line, "") for line in more]
    first_width, second_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [
        f"{key:<{first_width}}  {value:<{second_width}}  {source}".rstrip()
        for key, value, source in rows
    ]


def _written(value: object, default: object) -> list[str]:
    """A value on a line, a table on a line for each of its parts."""
    if isinstance(value, Mapping):
        return [f"{name}: {_listed(several)}" for name, several in value.items()] or ["-"]
    if isinstance(value, tuple):
        tables = [_TABLES[type(one)](one) for one in value if type(one) in _TABLES]
        return tables or [_listed(value) or "-"]
    return [_plain(value, default)]


def _plain(value: object, default: object) -> str:
    if value is None:
        return str(default) or "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}s"
    return str(value)


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _client(limits: ClientLimits) -> str:
    whose = "each address"
    if limits.user is not None:
        whose = f"user {limits.user}"
    elif limits.network is not None:
        whose = f"network {limits.network}"
    given = asdict(limits, filter=lambda _, amount: isinstance(amount, int) and amount > 0)
    amounts = (f"{amount} {name.replace('_', ' ')}" for name, amount in given.items())
    return f"{whose}: {_listed(amounts) or 'no limit'}"


def _reserve(reserve: Reserve) -> str:
    networks = [f"network {name}" for name in reserve.networks]
    users = [f"user {name}" for name in reserve.users]
    return f"{reserve.share:g}%: {_listed((*networks, *users))}"


def _rule(rule: Rule) -> str:
    given = asdict(rule, recurse=False, filter=lambda part, value: part.name != "action" and value)
    parts = (
        f"{name.replace('_', ' ')} {value if isinstance(value, str) else _listed(value)}"
        for name, value in given.items()
    )
    return f"{rule.action}: {'; '.join(parts) or 'all'}"


#: How those values are written that are tables in the file.
_TABLES: Final[Mapping[type, Callable[[Any], str]]] = {
    ClientLimits: _client,
    Reserve: _reserve,
    Rule: _rule,
}
