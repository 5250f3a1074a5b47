"""One setting, and the makers of the kinds that many settings share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen

from hubmirror.config.files import read_login, readable_file
from hubmirror.config.sizes import size
from hubmirror.config.values import (
    choice,
    duration,
    lifetime,
    on_or_off,
    optional_path,
    whole_number,
)

__all__ = [
    "VARIABLE_PREFIX",
    "Setting",
    "duration_setting",
    "file_setting",
    "lifetime_setting",
    "login_setting",
    "number_setting",
    "size_setting",
    "switch_setting",
    "word_setting",
]

VARIABLE_PREFIX = "HUBMIRROR_"

_DURATION = "more than 0 and at most a day: seconds, or text such as 500ms, 30s, 5m"
_LIFETIME = "from 0 to 365 days: seconds, or text such as 30s, 5m, 1h, 7d"
_SIZE = "bytes, or text such as 64MiB, 50GiB (powers of 1024) or 50GB (of 1000)"
_FILE = "a readable file, or credential:NAME of systemd"
_LOGIN = "a file that only its owner can read, one line of the form user:password"


@frozen
class Setting:
    """One setting: how it is read, what is allowed, and what it is for.

    ``default`` is written as in the file; empty text means that nothing is set. ``check`` looks
    at what a parsed path names; both it and ``parse`` raise ``ValueError``. ``fallbacks`` are
    ordinary variables that count after the file. With ``is_table`` only the file can hold it: it
    has neither flag nor variable. ``table_key`` is how a table of the file spells it where that
    is not plain from its name: ``quota.day``. ``settle`` makes paths within a value start at a
    folder, and may raise ``ValueError``, too. ``words`` are all that can be written, where these
    are few.
    """

    name: str
    parse: Callable[[object], object]
    default: object
    help: str
    allowed: str
    check: Callable[[Path], object] | None = None
    fallbacks: tuple[str, ...] = ()
    is_repeatable: bool = False
    is_table: bool = False
    table_key: str = ""
    settle: Callable[[Any, Path], object] | None = None
    words: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The flag: ``--public-url``."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """The environment variable: ``HUBMIRROR_PUBLIC_URL``."""
        return VARIABLE_PREFIX + self.name.upper()

    @property
    def spellings(self) -> tuple[str, ...]:
        """How the file may spell it: ``warm_period``, and ``warm.period`` in a table ``[warm]``.

        Any of a name's words may end the table's own.
        """
        words = self.name.split("_")
        splits = range(1, len(words))
        dotted = [f"{'_'.join(words[:at])}.{'_'.join(words[at:])}" for at in splits]
        return tuple(dict.fromkeys((self.name, *dotted, *filter(None, [self.table_key]))))

    @property
    def header(self) -> str:
        """The line of the file that begins such a table: ``[networks]``, ``[[quota.client]]``."""
        key = self.table_key or self.name
        return f"[[{key}]]" if isinstance(self.default, list) else f"[{key}]"


def duration_setting(name: str, default: str, help_text: str) -> Setting:
    """How long something may take."""
    return Setting(name, duration, default, help_text, _DURATION)


def lifetime_setting(name: str, default: str, help_text: str) -> Setting:
    """How long something that is kept stays as it is; 0 for not at all."""
    return Setting(name, lifetime, default, help_text, _LIFETIME)


def number_setting(name: str, default: int, least: int, most: int, help_text: str) -> Setting:
    """A whole number within bounds."""
    allowed = f"a whole number from {least} to {most}"
    return Setting(name, whole_number(least, most), default, help_text, allowed)


def size_setting(name: str, default: str, help_text: str) -> Setting:
    """A number of bytes."""
    return Setting(name, size, default, help_text, _SIZE)


def switch_setting(name: str, default: str, help_text: str) -> Setting:
    """On or off."""
    return Setting(name, on_or_off, default, help_text, "on or off", words=("on", "off"))


def word_setting(name: str, words: tuple[str, ...], help_text: str) -> Setting:
    """One word out of these, the first unless another is set."""
    allowed = f"{', '.join(words[:-1])} or {words[-1]}"
    return Setting(name, choice(*words), words[0], help_text, allowed, words=words)


def file_setting(name: str, help_text: str) -> Setting:
    """A file that must be readable where it is named."""
    return Setting(name, optional_path, "", help_text, _FILE, check=readable_file)


def login_setting(name: str, help_text: str) -> Setting:
    """A file with a user and a password."""
    return Setting(name, optional_path, "", help_text, _LOGIN, check=read_login)
