"""Where settings come from: each source as a ``Layer`` of raw values, not yet parsed."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from attrs import field, frozen

from hubmirror.config.addresses import cut_login
from hubmirror.config.files import parse_login
from hubmirror.config.nearest import nearest
from hubmirror.config.problems import Problem
from hubmirror.config.settings import CONFIG_FILE, SETTINGS, VARIABLE_PREFIX

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["UPSTREAM_LOGIN", "Layer", "defaults", "fallbacks", "file", "flags", "variables"]

#: The one variable that is no setting: it holds a password, so neither a flag nor a table of
#: values may know it.
UPSTREAM_LOGIN = f"{VARIABLE_PREFIX}UPSTREAM_LOGIN"

#: What Kubernetes puts into every container beside a Service called ``hubmirror``.
_SERVICE_LINK = re.compile(r"HUBMIRROR_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_\d+_[A-Z_]+)?)")


@frozen
class Layer:
    """Raw values by a setting's name, each with its source; ``folder`` is where paths start.

    Values that are empty text do not count as set. ``problems`` are names that are no setting.
    ``proxy_login`` is the user and the password that stood in an ``egress_proxy``,
    ``upstream_login`` what ``HUBMIRROR_UPSTREAM_LOGIN`` holds.
    """

    values: Mapping[str, object]
    sources: Mapping[str, str]
    folder: Path
    problems: tuple[Problem, ...] = ()
    proxy_login: tuple[str, str] | None = field(default=None, repr=False)
    upstream_login: tuple[str, str] | None = field(default=None, repr=False)


def flags(given: Mapping[str, object], folder: Path) -> Layer:
    """The layer of flags, by a setting's name."""
    sources = {name: f"flag {_flag(name)}" for name in given}
    known = {setting.name for setting in (*SETTINGS, CONFIG_FILE)}
    problems = (
        _unknown(_flag(name), "flag", (_flag(one) for one in known))
        for name in given
        if name not in known
    )
    return Layer(_set(given), sources, folder, tuple(problems))


def variables(environ: Mapping[str, str], folder: Path) -> Layer:
    """The layer of ``HUBMIRROR_…`` variables."""
    known = {setting.variable: setting.name for setting in (*SETTINGS, CONFIG_FILE)}
    ours = {
        variable: value
        for variable, value in environ.items()
        if variable.startswith(VARIABLE_PREFIX) and not _is_service_link(variable, value)
    }
    login, problems = _upstream_login(ours.pop(UPSTREAM_LOGIN, ""))
    unknown = (variable for variable in ours if variable not in known)
    return Layer(
        _set({known[variable]: ours[variable] for variable in ours if variable in known}),
        {name: f"variable {variable}" for variable, name in known.items()},
        folder,
        (*problems, *(_unknown(variable, "variable", known) for variable in unknown)),
        upstream_login=login,
    )


def file(path: Path, shown: str) -> Layer:
    """The layer of a TOML file; paths in it start at its own folder.

    ``shown`` is how the user wrote ``path``. A file that can't be read is a problem of the key
    ``config``.
    """
    source = f"file {shown}"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        why = f"{shown} can't be read: {error.strerror}"
    except UnicodeDecodeError:
        why = f"{shown} is not UTF-8"
    except tomllib.TOMLDecodeError as error:
        # The decoder's message ends in the line and the column.
        why = f"{shown} is not TOML: {error}"
    else:
        known = {setting.name: source for setting in SETTINGS}
        table = _flattened(table, known)
        problems = (_unknown(key, "key", known, source) for key in table if key not in known)
        return Layer(_set(table), known, path.parent, tuple(problems))
    return Layer({}, {}, path.parent, (Problem(CONFIG_FILE.name, why, CONFIG_FILE.allowed),))


def _flattened(table: Mapping[str, object], known: Collection[str]) -> dict[str, object]:
    """``table`` with ``images`` in a table ``[warm]`` as ``warm_images``, and others likewise."""
    found: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, dict) and any(name.startswith(f"{key}_") for name in known):
            found.update({f"{key}_{part}": each for part, each in value.items()})
        else:
            found[key] = value
    return found


def fallbacks(environ: Mapping[str, str], folder: Path) -> Layer:
    """The layer of ordinary variables, such as ``NO_PROXY``, that some settings heed.

    Unlike ``egress_proxy`` itself, ``HTTPS_PROXY`` may hold credentials.
    """
    found: dict[str, str] = {}
    sources: dict[str, str] = {}
    for setting in SETTINGS:
        for variable in setting.fallbacks:
            if environ.get(variable) and setting.name not in found:
                found[setting.name] = environ[variable]
                sources[setting.name] = f"variable {variable}"
    login = None
    if "egress_proxy" in found:
        found["egress_proxy"], login = cut_login(found["egress_proxy"])
    return Layer(found, sources, folder, proxy_login=login)


def defaults(environ: Mapping[str, str], uid: int) -> Layer:
    """The last layer, which has every setting."""
    values = {setting.name: setting.default for setting in SETTINGS}
    values["data"] = _default_data(environ, uid) or values["data"]
    return Layer(values, {setting.name: "default" for setting in SETTINGS}, Path("/"))


def _default_data(environ: Mapping[str, str], uid: int) -> str | None:
    """The folder that systemd made, or that of a user other than root; None: the system's.

    Source: systemd.exec(5), ``StateDirectory=``; the XDG Base Directory Specification.
    """
    by_systemd = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if by_systemd or uid == 0:
        return by_systemd or None
    state, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
    if not state.startswith("/"):
        state = f"{home}/.local/state" if home.startswith("/") else ""
    return f"{state}/hubmirror" if state else None


def _upstream_login(written: str) -> tuple[tuple[str, str] | None, tuple[Problem, ...]]:
    if not written:
        return None, ()
    login = parse_login(written)
    if login is not None:
        return login, ()
    return None, (Problem(UPSTREAM_LOGIN, "it is not of the form user:password"),)


def _set(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value != ""}


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _unknown(name: str, kind: str, known: Iterable[str], source: str = "") -> Problem:
    match = nearest(name, known)
    meant = f"; did you mean {match}?" if match else ""
    return Problem(
        name if name.isprintable() else ascii(name),
        f"there is no such {kind}{meant}",
        source=source,
    )


def _is_service_link(variable: str, value: str) -> bool:
    match = _SERVICE_LINK.fullmatch(variable)
    return match is not None and (variable != "HUBMIRROR_PORT" or "://" in value)
