"""How the quota stands, as lines for a terminal of 80 columns, in the page's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from hubmirror.cli.operating.lines import human_size
from hubmirror.cli.operating.quota_words import (
    amount,
    bar,
    fitted,
    moment,
    percent,
    span,
    table,
    wrapped,
)

__all__ = ["WIDTH", "quota_lines"]

WIDTH: Final = 80
#: The beginning of the second column, where a line's facts are.
_INDENT: Final = 13
_ROOM: Final = WIDTH - _INDENT
#: So many of a list are shown.
_SHOWN: Final = 8

_WHEN_SPENT: Final[Mapping[str, str]] = {
    "cache-only": "only what is kept is served",
    "refuse": "every request is refused",
    "count": "requests are counted on, none is refused",
}
_OUTCOMES: Final = ("hit", "stale", "miss", "refused", "error")

#: What ``GET /quota`` tells.
_Status = Mapping[str, Any]


def quota_lines(status: _Status, now: datetime) -> list[str]:
    """What there is to say of ``status``, an object of ``GET /quota``; parts may be missing.

    ``now`` is in UTC. Lines are of visible ASCII, 80 characters at most.
    """
    blocks = (
        _verdict(status, now),
        [*_day(status, now), *_counts(status), *_hub(status, now), *_upstream(status, now)],
        [*_reserves(status), *_fetches(status)],
        *_lists(status),
    )
    lines: list[str] = []
    for block in blocks:
        if block and lines:
            lines.append("")
        lines += block
    return [fitted(line, WIDTH).rstrip() for line in lines]


def _verdict(status: _Status, now: datetime) -> list[str]:
    if "upstream" not in status:
        return ["No daemon runs: this is what it has kept."]
    found = _problems(status, now) or ["All is well: upstream answers, and the day will last."]
    return [line for sentence in found for line in wrapped(sentence, WIDTH)]


def _problems(status: _Status, now: datetime) -> list[str]:
    found = []
    upstream, login, limits = status["upstream"], status.get("login"), status["hub"]["limits"]
    if not upstream["is_up"]:
        since = moment(upstream["since"], now)
        found.append(f"Upstream has been down since {since}: what is kept is served on.")
    if login is not None and login["ok"] is False:
        found.append(f"The mirror's account upstream does not work: {login['message']}")
    if status["remaining"] == 0:
        what = _WHEN_SPENT.get(status["on_exhausted"], "limits hold")
        found.append(f"The day is spent: until {moment(status['reset'], now)} {what}.")
    elif status["forecast"]["exhausted_at"] is not None:
        found.append("At this rate the day is spent before it ends.")
    if status["minute"]["remaining"] == 0:
        found.append("This minute is spent.")
    if any(limit["remaining"] == 0 for limit in limits):
        found.append("Docker Hub's pulls are used up.")
    elif any(limit["exhausted_at"] is not None for limit in limits):
        found.append("At this rate Docker Hub's pulls run out.")
    return found


def _day(status: _Status, now: datetime) -> list[str]:
    used, limit, forecast = status["used"], status["limit"], status.get("forecast")
    reset = moment(status["reset"], now)
    if limit is None:
        lines = [_line("The day", f"{amount(used)} requests today, no limit")]
    else:
        expected = used if forecast is None else forecast["used_at_reset"]
        gauge = bar(40, [(used / limit, "#"), (expected / limit, ":")])
        left = amount(status["remaining"])
        lines = [
            _line("The day", f"{gauge} {percent(used / limit)} of the day spent"),
            _line("", f"{amount(used)} of {amount(limit)} requests, {left} left"),
        ]
    end = "" if forecast is None else f"{_end(status, forecast, now)}; "
    lines.append(_line("", f"{end}starts anew at {reset}"))
    return [*lines, *_minute(status)]


def _end(status: _Status, forecast: _Status, now: datetime) -> str:
    limit, final = status["limit"], forecast["used_at_reset"]
    if status["remaining"] == 0:
        return f"spent until {moment(status['reset'], now)}"
    if forecast["exhausted_at"] is not None:
        return f"runs out at {moment(forecast['exhausted_at'], now)}"
    return (
        f"ends at about {amount(final)}" if limit is None else f"ends at {percent(final / limit)}"
    )


def _minute(status: _Status) -> list[str]:
    if "minute" not in status:
        return []
    used, limit = status["minute"]["used"], status["minute"]["limit"]
    of = "" if limit is None else f" of {amount(limit)}"
    return [_line("This minute", f"{amount(used)}{of} requests")]


def _counts(status: _Status) -> list[str]:
    today, ratio = status["today"], status["hit_ratio"]
    outcomes, total = today["by_outcome"], today["requests"]
    shares = ", ".join(f"{one} {percent(outcomes[one] / total)}" for one in _OUTCOMES if total)
    hits = "nothing asked for yet today"
    if ratio is not None:
        hits = f"{percent(ratio)} of today's manifests and layers"
    out, received = human_size(today["bytes_out"]), human_size(today["upstream_bytes"])
    return [
        _line("Outcomes", shares or "none yet today"),
        _line("Hit ratio", hits),
        _line("Pulls", f"{amount(today['pulls_saved'])} saved, {amount(today['pulls'])} made"),
        _line("Bytes", f"{out} to clients, {received} from upstream"),
    ]


def _hub(status: _Status, now: datetime) -> list[str]:
    if "hub" not in status:
        return []
    limits = status["hub"]["limits"][:_SHOWN]
    lines = [_hub_limit(limit, now) for limit in limits] or ["told with the first pull"]
    return _paragraph("Docker Hub", lines)


def _hub_limit(limit: _Status, now: datetime) -> str:
    left = f"{amount(limit['remaining'])} of {amount(limit['limit'])} left"
    payer = limit["payer"] or limit["source"] or "this mirror"
    if limit["remaining"] == 0:
        end = "used up"
    elif limit["exhausted_at"] is not None:
        end = f"run out at {moment(limit['exhausted_at'], now)}"
    else:
        end = "last at this rate"
    return f"{left} in {span(limit['window'])}, {end} ({payer})"


def _upstream(status: _Status, now: datetime) -> list[str]:
    if "upstream" not in status:
        return []
    upstream = status["upstream"]
    host = upstream["url"].partition("://")[2]
    state = f"up, {host}" if upstream["is_up"] else f"down, {host}"
    outages = [
        f"{one['host']} down since {moment(one['since'], now)}"
        for one in upstream["outages"][:_SHOWN]
    ]
    return _paragraph("Upstream", [state, *outages])


def _reserves(status: _Status) -> list[str]:
    lines = []
    for one in status["reserves"]:
        gauge = bar(20, [(one["used"] / one["size"] if one["size"] else 1.0, "#")])
        lines.append(f"{gauge} {amount(one['used'])} of {amount(one['size'])}, {one['name']}")
    return _paragraph("Reserves", lines)


def _fetches(status: _Status) -> list[str]:
    fetches = status.get("fetches", [])
    lines = [_fetch(one) for one in fetches[:_SHOWN]]
    if len(fetches) > _SHOWN:
        lines.append(f"and {amount(len(fetches) - _SHOWN)} more")
    return _paragraph("Fetches", lines)


def _fetch(fetch: _Status) -> str:
    digest = fetch["digest"].partition(":")[2][:12]
    size = fetch["size"]
    of = "" if size is None else f" of {human_size(size)}"
    readers = "1 reader" if fetch["readers"] == 1 else f"{amount(fetch['readers'])} readers"
    name = fitted(fetch["repository"] or "a layer", 26)
    return f"{human_size(fetch['kept'])}{of}, {readers}, {name} {digest}"


def _lists(status: _Status) -> Iterable[list[str]]:
    spent = ("REQUESTS", "REFUSED", "SENT")
    pulled = ("REQUESTS", "PULLS", "SENT")
    yield table("CLIENTS TODAY", spent, _rows(status["clients"], _client, _SPENT))
    for key in ("networks", "users"):
        rows = _rows(status[key], _named(key[:-1]), _SPENT)
        yield table(f"{key.upper()} TODAY", spent, rows)
    rows = _rows(status["repositories"], _named("repository"), _PULLED)
    yield table("IMAGES TODAY", pulled, rows)


def _rows(
    entries: Sequence[_Status],
    name: Callable[[_Status], str],
    numbers: Sequence[tuple[str, Callable[[int], str]]],
) -> list[list[str]]:
    return [
        [name(entry), *(write(entry[key]) for key, write in numbers)] for entry in entries[:_SHOWN]
    ]


_SPENT: Final = (("requests", amount), ("refused", amount), ("bytes_out", human_size))
_PULLED: Final = (("requests", amount), ("pulls", amount), ("bytes_out", human_size))


def _client(entry: _Status) -> str:
    network = entry["network"]
    return str(entry["client"]) if network is None else f"{entry['client']} ({network})"


def _named(key: str) -> Callable[[_Status], str]:
    return lambda entry: str(entry[key])


def _paragraph(title: str, lines: Sequence[str]) -> list[str]:
    return [_line("" if number else title, line) for number, line in enumerate(lines)]


def _line(title: str, text: str) -> str:
    return f"{title:<{_INDENT}}{fitted(text, _ROOM)}"
