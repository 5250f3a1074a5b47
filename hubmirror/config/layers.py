"""Where settings come from: each source as a ``Layer`` of raw values, not yet parsed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from attrs import field, frozen

from hubmirror.config.addresses import cut_login
from hubmirror.config.files import parse_login
from hubmirror.config.nearest import nearest
from hubmirror.config.problems import Problem
from hubmirror.config.settings import CONFIG_FILE, SETTINGS, VARIABLE_PREFIX, Setting

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["UPSTREAM_LOGIN", "Layer", "defaults", "fallbacks", "file", "flags", "variables"]

#: The one variable that is no setting: it holds a password, so neither a flag nor a table of
#: values may know it.
UPSTREAM_LOGIN = f"{VARIABLE_PREFIX}UPSTREAM_LOGIN"

#: What Kubernetes puts into every container beside a Service called ``hubmirror``, or
#: ``hubmirror-monitor``.
_SERVICE_LINK = re.compile(
    r"HUBMIRROR_(?:[A-Z0-9_]+?_)??"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_[A-Z_]+|(?P<url>PORT))"
)

#: Those that flags and variables can hold.
_PLAIN = tuple(setting for setting in (*SETTINGS, CONFIG_FILE) if not setting.is_table)
_TABLES = {setting.name: setting for setting in SETTINGS if setting.is_table}
_SPELLINGS = {spelling: setting.name for setting in SETTINGS for spelling in setting.spellings}


@frozen
class Layer:
    """Raw values by a setting's name, each with its source; ``folder`` is where paths start.

    Values that are empty text do not count as set. ``problems`` are names that are no setting, or
    none that can stand there. ``keys`` are the names that were spelled in another way.
    ``proxy_login`` is the user and the password that stood in an ``egress_proxy``,
    ``upstream_login`` what ``HUBMIRROR_UPSTREAM_LOGIN`` holds.
    """

    values: Mapping[str, object]
    sources: Mapping[str, str]
    folder: Path
    problems: tuple[Problem, ...] = ()
    keys: Mapping[str, str] = field(factory=dict)
    proxy_login: tuple[str, str] | None = field(default=None, repr=False)
    upstream_login: tuple[str, str] | None = field(default=None, repr=False)


def flags(given: Mapping[str, object], folder: Path) -> Layer:
    """The layer of flags, by a setting's name."""
    sources = {name: f"flag {_flag(name)}" for name in given}
    known = {setting.name: setting.flag for setting in _PLAIN}
    problems = (
        _for_the_file(_flag(name), _TABLES[name])
        if name in _TABLES
        else _unknown(_flag(name), "flag", known.values())
        for name in given
        if name not in known
    )
    values = {name: value for name, value in given.items() if name not in _TABLES}
    return Layer(_set(values), sources, folder, tuple(problems))


def variables(environ: Mapping[str, str], folder: Path) -> Layer:
    """The layer of ``HUBMIRROR_…`` variables."""
    known = {setting.variable: setting.name for setting in _PLAIN}
    tables = {setting.variable: setting for setting in _TABLES.values()}
    ours = {
        variable: value
        for variable, value in environ.items()
        if variable.startswith(VARIABLE_PREFIX) and not _is_service_link(variable, value)
    }
    login, problems = _upstream_login(ours.pop(UPSTREAM_LOGIN, ""))
    wrong = (
        _for_the_file(variable, tables[variable])
        if variable in tables
        else _unknown(variable, "variable", known)
        for variable in ours
        if variable not in known
    )
    return Layer(
        _set({known[variable]: ours[variable] for variable in ours if variable in known}),
        {name: f"variable {variable}" for variable, name in known.items()},
        folder,
        (*problems, *wrong),
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
    except (ValueError, RecursionError):  # which the decoder lets through
        why = f"{shown} has a number of too many digits, or is nested too deeply"
    else:
        return _of_toml(table, source, path.parent)
    return Layer({}, {}, path.parent, (Problem(CONFIG_FILE.name, why, CONFIG_FILE.allowed),))


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


def _of_toml(table: Mapping[str, object], source: str, folder: Path) -> Layer:
    values: dict[str, object] = {}
    keys: dict[str, str] = {}
    problems: list[Problem] = []
    table, named = _registries_apart(table)
    if named:
        values["upstreams"], keys["upstreams"] = named, "upstream"
    for key, value in _spelled(table):
        name = _SPELLINGS.get(key)
        if name is None:
            problems.append(_unknown(key, "key", _alike(key), source))
        elif name in values:
            problems.append(Problem(key, f"{keys[name]} sets the same", source=source))
        else:
            values[name], keys[name] = value, key
    sources = {setting.name: source for setting in SETTINGS}
    return Layer(_set(values), sources, folder, tuple(problems), keys)


def _registries_apart(
    table: Mapping[str, object],
) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """``table`` without the tables ``[upstream."ghcr.io"]``, and these by their names."""
    upstream = table.get("upstream")
    if not isinstance(upstream, dict):
        return table, {}
    named = {name: each for name, each in upstream.items() if isinstance(each, dict)}
    others = {name: each for name, each in upstream.items() if name not in named}
    rest = {key: value for key, value in table.items() if key != "upstream"}
    return ({**rest, "upstream": others} if others else rest), named


def _spelled(table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The keys and values of ``table``; those in a table ``[warm]`` as ``warm.images``.

    A table whose name begins no setting's, such as ``[networks]``, is a value.
    """
    for key, value in table.items():
        if isinstance(value, dict) and any(_parts_of(key)):
            yield from ((f"{key}.{part}", each) for part, each in value.items())
        else:
            yield key, value


def _parts_of(table: str) -> Iterator[str]:
    return (spelling for spelling in _SPELLINGS if spelling.startswith(f"{table}."))


def _alike(key: str) -> Iterable[str]:
    """What ``key`` may have been meant for: in a table something that belongs there."""
    table, dot, _ = key.partition(".")
    return _parts_of(table) if dot else (setting.name for setting in SETTINGS)


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


def _for_the_file(written: str, setting: Setting) -> Problem:
    return Problem(written, "only the file can hold it", setting.allowed)


def _is_service_link(variable: str, value: str) -> bool:
    match = _SERVICE_LINK.fullmatch(variable)
    return match is not None and (match["url"] is None or "://" in value)
