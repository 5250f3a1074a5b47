"""``hubmirror check``: the configuration in force, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

from hubmirror.config import SETTINGS, Loaded
from hubmirror.options import Options

__all__ = ["main", "summary"]

summary = "show the configuration in force and where each value came from, or every error"


def main(arguments: Sequence[str]) -> int:
    """Print the table of settings; ``SystemExit(2)`` after a word on each problem."""
    options = Options("hubmirror check")
    options.parseOptions(arguments)
    print("\n".join(_table(options.loaded)))
    return 0


def _table(loaded: Loaded) -> list[str]:
    rows = [("KEY", "VALUE", "FROM")] + [
        (
            setting.name,
            _written(getattr(loaded.config, setting.name), setting.default),
            loaded.sources[setting.name],
        )
        for setting in SETTINGS
    ]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"{key:<{first}}  {value:<{second}}  {source}" for key, value, source in rows]


def _written(value: object, default: object) -> str:
    if value is None:
        return str(default) or "-"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}s"
    return str(value)
