"""Loading: the layers laid over each other, every value parsed, every problem told at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

from hubmirror.config import layers
from hubmirror.config.disagreements import Settled, disagreements
from hubmirror.config.files import read_login, read_secret, read_url
from hubmirror.config.layers import Layer
from hubmirror.config.model import Config
from hubmirror.config.problems import ConfigError, PartsInvalid, Problem
from hubmirror.config.settings import SETTINGS, Setting

__all__ = ["Loaded", "load"]

T = TypeVar("T")


@frozen
class Loaded:
    """The configuration in force, and where each setting's value came from."""

    config: Config
    sources: Mapping[str, str]


def load(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    folder: Path | None = None,
    uid: int | None = None,
) -> Loaded:
    """The configuration of these flags (by a setting's name) and variables.

    The file is the one that the flag ``config`` or ``HUBMIRROR_CONFIG`` names. Relative paths
    in flags and variables start at ``folder``, the current one unless given; ``uid``, the
    process's own unless given, decides the default data folder. To load again, call it with
    the same arguments. Raises ``ConfigError`` with every problem there is.
    """
    stack = _stack(flags, environ, folder or Path.cwd(), os.geteuid() if uid is None else uid)
    problems = [problem for layer in stack for problem in layer.problems]
    winners = {
        setting.name: next(layer for layer in stack if setting.name in layer.values)
        for setting in SETTINGS
    }
    sources = {name: layer.sources[name] for name, layer in winners.items()}
    keys = {name: layer.keys.get(name, name) for name, layer in winners.items()}
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        name = setting.name
        try:
            values[name] = _value(setting, winners[name])
        except PartsInvalid as error:
            problems += [one.within(keys[name], sources[name]) for one in error.problems]
        except ValueError as error:
            problems.append(Problem(keys[name], str(error), setting.allowed, sources[name]))
    upstream_login = next((one.upstream_login for one in stack if one.upstream_login), None)
    problems += disagreements(Settled(values, sources, keys, upstream_login))
    if problems:
        raise ConfigError(problems)
    config = Config(
        **values,
        egress_login=_login(values, "egress") or winners["egress_proxy"].proxy_login,
        upstream_login=_login(values, "upstream") or upstream_login,
        webhook_url=_held(values, "quota_webhook", read_url),
        monitor_secret=_held(values, "monitor_token", read_secret),
        acme_eab_key=_held(values, "acme_eab_key_file", read_secret),
    )
    return Loaded(config, sources)


def _stack(
    flags: Mapping[str, object], environ: Mapping[str, str], folder: Path, uid: int
) -> tuple[Layer, ...]:
    """The layers, the strongest first; among them the file's where one is named."""
    first = (layers.flags(flags, folder), layers.variables(environ, folder))
    named = next((one.values["config"] for one in first if "config" in one.values), None)
    file = () if named is None else (layers.file(folder / str(named), str(named)),)
    return (*first, *file, layers.fallbacks(environ, folder), layers.defaults(environ, uid))


def _value(setting: Setting, layer: Layer) -> object:
    """The parsed value, a path made absolute and looked at; raises ``ValueError``."""
    value = setting.parse(layer.values[setting.name])
    if setting.settle is not None:
        value = setting.settle(value, layer.folder)
    if isinstance(value, Path):
        value = layer.folder / value
        if setting.check is not None:
            setting.check(value)
    return value


def _login(values: Mapping[str, Any], whose: str) -> tuple[str, str] | None:
    """What stands in the file of these credentials, where one is named."""
    return _held(values, f"{whose}_credentials", read_login)


def _held(values: Mapping[str, Any], key: str, read: Callable[[Path], T]) -> T | None:
    """What stands in the file that ``key`` names, where it names one."""
    path: Path | None = values[key]
    try:
        return None if path is None else read(path)
    except ValueError as error:
        raise ConfigError([Problem(key, str(error))]) from None
