"""The tables ``[upstream."ghcr.io"]``: registries by their names, and what is other for each.

The parser raises as those of ``quota_tables``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import evolve, frozen

from hubmirror.config.addresses import origin
from hubmirror.config.files import read_login
from hubmirror.config.model import DOCKER_HUB, Upstream
from hubmirror.config.nearest import nearest
from hubmirror.config.problems import PartsInvalid, Problem
from hubmirror.config.setting import Setting
from hubmirror.config.values import on_or_off, shown, texts

__all__ = ["KNOWN_URLS", "registry_patterns", "settle_upstreams", "upstream_tables"]

#: Where registries are that have another address than their name.
KNOWN_URLS: Final[Mapping[str, str]] = {
    DOCKER_HUB: "https://registry-1.docker.io",
}
#: General settings that an upstream may have a value of its own for, and what its table calls them.
OWN: Final[Mapping[str, str]] = {
    "upstream_ca": "ca",
    "auth": "auth",
    "upstream_credentials": "credentials",
    **{
        name: name
        for name in (
            *("egress_proxy", "egress_credentials", "no_proxy", "allow_private"),
            *("connect_timeout", "response_timeout", "stall_timeout", "retries", "patience"),
            *("library_prefix", "prefetch", "tag_ttl", "stale_while_revalidate", "stale_for"),
            *("negative_ttl", "public_ttl", "right_ttl", "when_deleted"),
        )
    },
}

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?")
_PATTERN: Final = re.compile(r"[a-z0-9*.-]{1,253}(?::[0-9*]{1,5})?")


def upstream_tables(general: Mapping[str, Setting]) -> Callable[[object], tuple[Upstream, ...]]:
    """The parser of a table of tables, whose keys are read as the ``general`` settings are."""
    rows = {key: general[name] for name, key in OWN.items()}

    def parse(raw: object) -> tuple[Upstream, ...]:
        if not isinstance(raw, dict):
            raise ValueError(f"{shown(raw)} is not a table of registries")
        problems: list[Problem] = []
        found = [_upstream(name, table, rows, problems) for name, table in raw.items()]
        problems += _wrong_together(found)
        if problems:
            raise PartsInvalid(problems)
        return tuple(found)

    return parse


def settle_upstreams(
    upstreams: tuple[Upstream, ...], folder: Path, general: Mapping[str, Setting]
) -> tuple[Upstream, ...]:
    """With paths that start at ``folder``, and what stands in the files that they name.

    Raises ``PartsInvalid``.
    """
    problems: list[Problem] = []
    settled = [_settled(one, folder, general, problems) for one in upstreams]
    if problems:
        raise PartsInvalid(problems)
    return tuple(settled)


def registry_patterns(raw: object) -> tuple[str, ...]:
    """Names of registries, in which ``*`` stands for anything."""
    patterns = tuple(pattern.lower() for pattern in texts(raw))
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"{shown(pattern)} is no name of a registry, nor a pattern for one")
    return patterns


def _upstream(
    name: str, table: object, rows: Mapping[str, Setting], problems: list[Problem]
) -> Upstream:
    """The registry ``name``; what is wrong with it joins ``problems``."""
    at = f".{name if _NAME.fullmatch(name) else shown(name)}"
    if not _NAME.fullmatch(name):
        problems.append(Problem(at, "it is no registry's name: a host, and a port if it has one"))
    if not isinstance(table, dict):
        problems.append(Problem(at, f"{shown(table)} is not a table"))
        table = {}
    values: dict[str, Any] = {}
    fields = {**_PLACE, **{key: _Field(row.parse, row.allowed) for key, row in rows.items()}}
    for key, raw in table.items():
        field = fields.get(key)
        if field is None:
            match = nearest(key, fields)
            meant = f"; did you mean {match}?" if match else ""
            problems.append(Problem(f"{at}.{shown(key)[1:-1]}", f"there is no such key{meant}"))
            continue
        try:
            values[key] = field.parse(raw)
        except ValueError as error:
            problems.append(Problem(f"{at}.{key}", str(error), field.allowed))
    urls = values.pop("url", None) or (KNOWN_URLS.get(name, f"https://{name}"),)
    hosts, is_default = values.pop("hosts", ()), values.pop("default", False)
    settings = {general: values[key] for general, key in OWN.items() if key in values}
    return Upstream(name, urls[0], urls[1:], hosts, is_default=is_default, settings=settings)


def _settled(
    upstream: Upstream, folder: Path, general: Mapping[str, Setting], problems: list[Problem]
) -> Upstream:
    settings = dict(upstream.settings)
    for name, value in upstream.settings.items():
        if not isinstance(value, Path):
            continue
        settings[name] = folder / value
        check = general[name].check
        try:
            if check is not None:
                check(folder / value)
        except ValueError as error:
            problems.append(Problem(f".{upstream.name}.{OWN[name]}", str(error)))
            continue
        if name.endswith("_credentials"):
            settings[name.replace("credentials", "login")] = read_login(folder / value)
    return evolve(upstream, settings=settings)


def _wrong_together(upstreams: list[Upstream]) -> list[Problem]:
    problems = []
    owners: dict[str, str] = {}
    for one in upstreams:
        for host in one.hosts:
            if host in owners:
                wrong = f"{host} leads to {owners[host]} already"
                problems.append(Problem(f".{one.name}.hosts", wrong))
            owners[host] = one.name
    defaults = [one.name for one in upstreams if one.is_default]
    problems += [
        Problem(f".{name}.default", f"{defaults[0]} is that already") for name in defaults[1:]
    ]
    return problems


@frozen
class _Field:
    parse: Callable[[object], Any]
    allowed: str


def _urls(raw: object) -> tuple[str, ...]:
    return tuple(map(origin, texts(raw)))


def _hosts(raw: object) -> tuple[str, ...]:
    hosts = tuple(host.lower() for host in texts(raw))
    for host in hosts:
        if not _NAME.fullmatch(host):
            raise ValueError(f"{shown(host)} is not a host name")
    return hosts


_PLACE: Final[Mapping[str, _Field]] = {
    "url": _Field(_urls, "http or https URLs of a host alone; others than the first stand in"),
    "hosts": _Field(_hosts, "host names of this mirror"),
    "default": _Field(on_or_off, "true for one registry"),
}
