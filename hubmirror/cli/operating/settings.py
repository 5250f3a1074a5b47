"""The table of settings as a parser: what ``hubmirror serve`` and ``hubmirror check`` take."""

from __future__ import annotations

import argparse

from hubmirror.config import CONFIG_FILE, SETTINGS, Setting

__all__ = ["settings_parser"]


def settings_parser(prog: str, summary: str) -> argparse.ArgumentParser:
    """It describes the flags; ``Options`` parses them."""
    parser = argparse.ArgumentParser(prog=prog, description=f"{summary[0].upper()}{summary[1:]}.")
    for setting in (CONFIG_FILE, *(one for one in SETTINGS if not one.is_table)):
        parser.add_argument(
            setting.flag,
            action="append" if setting.is_repeatable else "store",
            choices=setting.words or None,
            metavar=_metavar(setting),
            help=setting.help.replace("%", "%%"),
        )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    return parser


def _metavar(setting: Setting) -> str | None:
    if setting.name == "data":
        return "FOLDER"
    if setting.check is not None:
        return "FILE"
    return None if setting.words else "VALUE"
