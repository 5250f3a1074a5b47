"""The manual pages: hubmirror(1) from the verbs, hubmirror.toml(5) from the settings.

Source of the form: man(7), groff_man_style(7).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from attrs import frozen

from hubmirror.cli.describing.tree import verbs_of
from hubmirror.config import Setting

__all__ = ["Edition", "command_page", "settings_page"]

#: Verbs that take every setting: these stand in a page of their own.
_WITH_SETTINGS: Final = ("check", "serve")

#: What many verbs take: told once.
_COMMON: Final = ("config", "data", "json")

_FILES: Final = (
    ("/etc/hubmirror/hubmirror.toml", "The configuration of the service: see hubmirror.toml(5)."),
    ("/var/lib/hubmirror", "What the service keeps."),
    ("~/.local/state/hubmirror", "The same of who runs the mirror for themselves."),
)
_SIGNALS: Final = (
    ("SIGTERM, SIGINT", "End: nothing new is accepted, and what runs has shutdown_grace to end."),
    ("SIGHUP", "Read the configuration again."),
    (
        "SIGUSR2",
        "With several workers: replace all processes, one by one, without a request lost. With one"
        " process it ends the mirror.",
    ),
)
_STATUS: Final = (
    ("0", "All went well."),
    ("1", "Something failed; standard error says what."),
    ("2", "The command line or the configuration can't be used."),
)


@frozen
class Edition:
    """Of which version a page tells, and since when."""

    version: str
    day: date


def command_page(tree: argparse.ArgumentParser, edition: Edition) -> str:
    """hubmirror(1), of the whole command."""
    return _page(
        "hubmirror",
        1,
        edition,
        [
            *_section("Name", r"hubmirror \- a self-hosted mirror of Docker Hub"),
            *_section("Synopsis", r"\fBhubmirror\fR \fIVERB\fR [\fIoptions\fR]"),
            ".SH DESCRIPTION",
            _text(
                "docker, containerd, podman and others pull through the mirror. It keeps what it"
                " fetched, and counts what it asks Docker Hub for. Each verb has its own --help."
            ),
            ".SH VERBS",
            *(line for name, verb in verbs_of(tree).items() for line in _verb(name, verb)),
            ".SH COMMON OPTIONS",
            _text("Verbs that have to do with one mirror, whether it runs or not, take these."),
            *_common(tree),
            *_table("Signals", _SIGNALS),
            *_table("Exit status", _STATUS),
            *_table("Files", _FILES),
            ".SH SEE ALSO",
            r".BR hubmirror.toml (5),",
            r".BR twistd (1),",
            r".BR systemctl (1)",
        ],
    )


def settings_page(settings: Iterable[Setting], edition: Edition) -> str:
    """hubmirror.toml(5), of all settings."""
    return _page(
        "hubmirror.toml",
        5,
        edition,
        [
            *_section("Name", r"hubmirror.toml \- the configuration of hubmirror"),
            ".SH DESCRIPTION",
            _text(
                "A file in TOML (https://toml.io). hubmirror check --config FILE shows what is in"
                " force and where it came from, or every error. SIGHUP has it read again."
            ),
            ".PP",
            _text(
                "Each key is also an option and a variable, apart from tables. An option counts"
                " before a variable, a variable before the file. Relative paths start at the"
                " file's folder. Where a key names a file, credential:NAME is one that systemd"
                " hands over: see LoadCredential= in systemd.exec(5)."
            ),
            ".SH KEYS",
            *(line for setting in settings for line in _setting(setting)),
            ".SH SEE ALSO",
            ".BR hubmirror (1)",
        ],
    )


def _page(name: str, section: int, edition: Edition, lines: Iterable[str]) -> str:
    release = f"hubmirror {_escaped(edition.version)}"
    head = f'.TH "{name.upper()}" "{section}" "{edition.day.isoformat()}" "{release}"'
    return "\n".join((head, *lines, ""))


def _section(title: str, line: str) -> list[str]:
    return [f".SH {title.upper()}", line]


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f'.SH "{title.upper()}"'
    for name, what in rows:
        yield from (".TP", rf"\fB{_escaped(name)}\fR", _text(what))


def _verb(words: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """A verb, what it takes, and the verbs below it."""
    yield f'.SS "{_escaped(words)}"'
    yield _text(parser.description or "")
    if words in _WITH_SETTINGS:
        yield from (".PP", "It takes each setting of", ".BR hubmirror.toml (5)", "as an option.")
        return
    for action in _told(parser):
        if action.dest not in _COMMON:
            yield from (".TP", _argument(action), _text(_help(action, parser)))
    for name, below in verbs_of(parser).items():
        yield from _verb(f"{words} {name}", below)


def _told(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    kinds = (argparse._SubParsersAction, argparse._HelpAction)
    return [action for action in parser._actions if not isinstance(action, kinds)]


def _common(tree: argparse.ArgumentParser) -> Iterator[str]:
    for name, verb in verbs_of(tree).items():
        found = [action for action in _told(verb) if action.dest in _COMMON]
        if len(found) == len(_COMMON) and name not in _WITH_SETTINGS:
            for action in found:
                yield from (".TP", _argument(action), _text(_help(action, verb)))
            return


def _argument(action: argparse.Action) -> str:
    words = "|".join(map(str, action.choices or ())) or str(action.metavar or action.dest)
    value = rf"\fI{_escaped(words)}\fR"
    if not action.option_strings:
        return value
    flag = rf"\fB{_escaped(', '.join(action.option_strings))}\fR"
    return flag if action.nargs == 0 else f"{flag} {value}"


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    """As ``--help`` shows it, with what stands for ``%(default)s``."""
    formatter = argparse.HelpFormatter(parser.prog)
    written = formatter._expand_help(action) if action.help else ""
    return f"{written[:1].upper()}{written[1:]}." if written and written[-1] != "." else written


def _setting(setting: Setting) -> Iterator[str]:
    default = setting.default
    written = ", ".join(default) if isinstance(default, list) else str(default or "")
    if setting.is_table:
        yield from (".TP", rf"\fB{_escaped(setting.header)}\fR", _text(setting.help))
        yield from (".br", _text(f"Allowed: {setting.allowed}."))
        return
    names = ", ".join((setting.flag, setting.variable))
    yield from (".TP", rf"\fB{_escaped(setting.name)}\fR", _text(setting.help))
    yield from (".br", _text(f"Allowed: {setting.allowed}."))
    if written:
        yield from (".br", _text(f"Default: {written}"))
    yield from (".br", _text(names))


def _text(words: str) -> str:
    """Words as a line of text, whatever they begin with."""
    line = _escaped(" ".join(words.split()))
    return rf"\&{line}" if line.startswith((".", "'")) else line


def _escaped(words: str) -> str:
    return re.sub(r"-", r"\\-", words.replace("\\", r"\e"))
