"""Loading: the layers laid over each other, every value parsed, every problem told at once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from hubmirror.certificates.files import CertificateError, load_pair
from hubmirror.config import layers
from hubmirror.config.files import read_login
from hubmirror.config.layers import Layer
from hubmirror.config.model import Config, ListenAddress
from hubmirror.config.problems import ConfigError, Problem
from hubmirror.config.settings import SETTINGS, Setting

__all__ = ["Loaded", "load"]


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
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        try:
            values[setting.name] = _value(setting, winners[setting.name])
        except ValueError as error:
            source = sources[setting.name]
            problems.append(Problem(setting.name, str(error), setting.allowed, source))
    upstream_login = next((one.upstream_login for one in stack if one.upstream_login), None)
    problems += _disagreements(values, sources)
    problems += _idle_credentials(values, sources, upstream_login)
    if problems:
        raise ConfigError(problems)
    config = Config(
        **values,
        egress_login=_login(values, "egress") or winners["egress_proxy"].proxy_login,
        upstream_login=_login(values, "upstream") or upstream_login,
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
    if isinstance(value, Path):
        value = layer.folder / value
        if setting.check is not None:
            setting.check(value)
    return value


def _disagreements(values: Mapping[str, Any], sources: Mapping[str, str]) -> list[Problem]:
    """What is wrong between settings that are each right; those that are not are missing."""
    problems = []
    pair = {name: values[name] for name in ("certificate", "private_key") if name in values}
    if len(pair) == 2 and None in pair.values() and any(pair.values()):
        missing, given = sorted(pair, key=lambda name: pair[name] is not None)
        wrong = f"it is missing, but {given} is set"
        problems.append(Problem(missing, wrong, "both or neither", sources[given]))
    elif len(pair) == 2 and None not in pair.values():
        try:
            load_pair(**pair)
        except CertificateError as error:
            problems.append(Problem("certificate", str(error), source=sources["certificate"]))
    if "http" in values and "https" in values:
        listeners: tuple[ListenAddress, ...] = values["http"] + values["https"]
        if not listeners:
            problems.append(Problem("http", "both http and https are off", "one of them at least"))
        problems += [
            Problem("http" if one in values["http"] else "https", f"{one} is listed twice")
            for one, times in Counter(listeners).items()
            if times > 1 and one.port
        ]
    return problems


def _idle_credentials(
    values: Mapping[str, Any], sources: Mapping[str, str], login: tuple[str, str] | None
) -> list[Problem]:
    """An account of the mirror's own beside ``auth = passthrough``, which would not use it."""
    in_file = values.get("upstream_credentials") is not None
    if values.get("auth") != "passthrough" or not (in_file or login):
        return []
    key = "upstream_credentials" if in_file else layers.UPSTREAM_LOGIN
    wrong = "it is set, but auth is passthrough: say auth = mirror to use it"
    return [Problem(key, wrong, source=sources[key] if in_file else "")]


def _login(values: Mapping[str, Any], whose: str) -> tuple[str, str] | None:
    """What stands in the file of these credentials, where one is named."""
    key = f"{whose}_credentials"
    path: Path | None = values[key]
    try:
        return None if path is None else read_login(path)
    except ValueError as error:
        raise ConfigError([Problem(key, str(error))]) from None
