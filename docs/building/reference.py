"""The reference's pages, written from the code: settings, commands, metrics, HTTP."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from twisted.internet.task import Clock
from twisted.web.test.requesthelper import DummyRequest

from hubmirror.cli.describing.tree import command_tree, verbs_of
from hubmirror.config.settings import CONFIG_FILE, SETTINGS, Setting
from hubmirror.monitor.latency import Latency
from hubmirror.monitor.metrics import Counts, MetricsResource, Vitals
from hubmirror.quota.books import MemoryBooks
from hubmirror.quota.history import MemoryHistory
from hubmirror.quota.ledger import MemoryLedger
from hubmirror.quota.quota import Quota
from hubmirror.quota.rules import Reserve, Rules
from hubmirror.service import FIXED, LISTENERS

__all__ = ["PAGES", "commands_page", "http_page", "metrics_page", "settings_page"]

#: Verbs that take each setting as an option.
_WITH_SETTINGS: Final = ("check", "serve")


def settings_page() -> str:
    """All settings, in the order of the example file."""
    lines = [
        "# Settings",
        "",
        "A flag counts before a variable, a variable before the file, the file before the default.",
        "SIGHUP has all of them read again; which of them need a restart is said there.",
        "[The example file](../hubmirror.toml) has each with a comment.",
    ]
    for setting in (CONFIG_FILE, *SETTINGS):
        lines += _setting(setting)
    return _page(lines)


def commands_page() -> str:
    """All that can be typed after ``hubmirror``."""
    lines = ["# Commands", "", "Each has its own `--help`."]
    for name, parser in verbs_of(command_tree()).items():
        lines += _verb(f"hubmirror {name}", name, parser)
    return _page(lines)


def metrics_page() -> str:
    """What ``/metrics`` tells, as a mirror tells it that has just begun."""
    lines = [
        "# Metrics",
        "",
        "`GET /metrics`, in Prometheus' text format or as OpenMetrics. Beside these it tells what"
        " Prometheus' library knows of each process (`process_…`), and of Docker Hub's own limit"
        " (`hubmirror_hub_…`) once the Hub has said anything. Alert rules and a dashboard are in"
        " `etc/`.",
        "",
        "| Metric | Type | Labels | What it is |",
        "|---|---|---|---|",
    ]
    text = _scraped()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    for name, what in re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE):
        if name.startswith("hubmirror_"):
            labels = re.findall(rf"^{name}\w*{{(.*?)}}", text, re.MULTILINE)
            names = dict.fromkeys(re.findall(r'(\w+)="', " ".join(labels)))
            shown = ", ".join(f"`{label}`" for label in names)
            lines.append(f"| `{name}` | {kinds[name]} | {shown} | {what} |")
    return _page(lines)


def http_page() -> str:
    """The endpoints beside the registry's own."""
    text = resources.files("hubmirror.monitor").joinpath("openapi.json").read_text()
    document = json.loads(text)
    lines = [
        "# HTTP",
        "",
        "`/v2/` and `/token` are a registry's: the [distribution specification]"
        "(https://github.com/opencontainers/distribution-spec) has them. Beside them there are"
        " these; `GET /openapi.json` has all of it for programs.",
        "",
        document["info"]["description"],
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            lines += _endpoint(f"{method.upper()} {path}", operation, document)
    return _page(lines)


#: The reference's pages, by their path in the site.
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "reference/settings.md": settings_page,
    "reference/commands.md": commands_page,
    "reference/metrics.md": metrics_page,
    "reference/http.md": http_page,
}


def _setting(setting: Setting) -> Iterator[str]:
    default = setting.default
    written = ", ".join(default) if isinstance(default, list) else str(default or "")
    yield from ("", f"## {setting.header if setting.is_table else setting.name}", "")
    yield from (_cell(setting.help), "")
    if not setting.is_table:
        yield f"- Flag `{setting.flag}`, variable `{setting.variable}`"
    if setting is not CONFIG_FILE and not setting.is_table:
        yield f"- In the file: {', '.join(f'`{one}`' for one in setting.spellings)}"
    yield f"- Allowed: {_cell(setting.allowed)}"
    if written and not setting.is_table:
        yield f"- Default: `{written}`"
    if setting.name in FIXED:
        yield "- A change needs a restart"
    elif setting.name in LISTENERS:
        yield "- A change needs a restart where there are several workers"


def _verb(words: str, name: str, parser: argparse.ArgumentParser, depth: int = 2) -> Iterator[str]:
    yield from ("", f"{'#' * depth} {words}", "", _cell(parser.description or ""))
    if name in _WITH_SETTINGS:
        yield from ("", "It takes each of [the settings](settings.md) as an option.")
        return
    below = verbs_of(parser)
    rows = [
        f"| {_argument(action)} | {_cell(_help(action, parser))} |"
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction | argparse._HelpAction)
    ]
    if rows and not below:
        yield from ("", "| | |", "|---|---|", *rows)
    for verb, its in below.items():
        yield from _verb(f"{words} {verb}", verb, its, depth + 1)


def _argument(action: argparse.Action) -> str:
    choices = None if action.choices is None else r"\|".join(map(str, action.choices))
    value = str(choices or action.metavar or action.dest)
    if not action.option_strings:
        return f"`{value}`"
    flag = ", ".join(action.option_strings)
    return f"`{flag}`" if action.nargs == 0 else f"`{flag} {value}`"


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    return argparse.HelpFormatter(parser.prog)._expand_help(action) if action.help else ""


def _endpoint(title: str, operation: Mapping[str, Any], document: Any) -> Iterator[str]:
    yield from ("", f"## {title}", "", f"{operation['summary']}.")
    if "description" in operation:
        yield from ("", operation["description"])
    parameters: Sequence[Any] = operation.get("parameters", ())
    if parameters:
        yield from ("", "| Parameter | |", "|---|---|")
    for parameter in parameters:
        one = _resolved(parameter, document)
        allowed = ", ".join(f"`{value}`" for value in one.get("schema", {}).get("enum", ()))
        what = f"{one.get('description', '')} {allowed}".strip()
        yield f"| `{one['name']}` ({one['in']}) | {_cell(what)} |"
    yield from ("", "| Status | |", "|---|---|")
    for status, answer in operation["responses"].items():
        yield f"| {status} | {_cell(_resolved(answer, document).get('description', ''))} |"


def _resolved(part: Any, document: Any) -> Any:
    """``part``, or what it refers to within ``document``."""
    if "$ref" not in part:
        return part
    for key in part["$ref"].removeprefix("#/").split("/"):
        document = document[key]
    return document


def _scraped() -> str:
    quota = Quota(
        Rules(reserves=(Reserve(20, ("production",)),)),
        MemoryLedger(),
        MemoryHistory(),
        MemoryBooks(),
        lambda: 0.0,
    )

    async def kept() -> tuple[int, int]:
        return 0, 0

    async def is_writable() -> bool:
        return True

    counts = Counts(
        not_kept=int,
        wrong_digests=int,
        rotten=int,
        fetches=int,
        kept=kept,
        is_writable=is_writable,
    )
    latency = Latency()
    vitals = Vitals("1", latency, int, lambda: True, lambda: 0.0)
    request = DummyRequest([b"metrics"])
    MetricsResource(quota, counts, vitals, Clock()).render(request)
    return b"".join(request.written).decode()


def _cell(text: str) -> str:
    """Text in Markdown, on one line: what stands in angles is no HTML, ``*`` no emphasis."""
    line = " ".join(text.split())
    return re.sub(r"([<*|])", r"\\\1", line)


def _page(lines: Sequence[str]) -> str:
    return "\n".join((*lines, ""))
