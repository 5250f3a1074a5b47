"""The log: one line an event, as text or as JSON, that no logged byte can forge.

An event of the access log carries ``access``, a dict of simple values: they are its fields and
stand for its message. Source of the time's form: RFC 3339.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, Final, TextIO
from urllib.parse import urlsplit, urlunsplit

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
)
from zope.interface import implementer

__all__ = ["make_observer", "redact"]

#: Twisted's own news (factories that start, clients that time out) is for debugging.
_NOISY = ("twisted", "log_legacy")
#: What needs no quotes, for sure: printable ASCII without space, quotation mark and equals sign.
_WORD = re.compile(r"[!#-<>-~]+")
#: Of how many pairs of level and namespace it is remembered whether they are wanted.
_REMEMBERED: Final = 1024


def make_observer(log_format: str, level: str, stream: TextIO) -> ILogObserver:
    """Write events of at least ``level`` (debug, info, warn, error) to ``stream``.

    ``log_format`` is ``text`` or ``json``. What Twisted itself says below a warning shows at
    ``debug`` only. Whatever an event holds becomes exactly one line, except that in text a
    failure's traceback follows on indented lines.
    """
    predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.levelWithName(level))
    if level == "info":
        for namespace in _NOISY:
            predicate.setLogLevelForNamespace(namespace, LogLevel.warn)
    line = _as_json if log_format == "json" else _as_text
    observer = FileLogObserver(stream, _encodable(line, stream))
    return FilteringLogObserver(observer, [_Remembering(predicate)])


def redact(url: str) -> str:
    """``url`` for a log: without userinfo and fragment, its query's values replaced by ``...``.

    A signed URL opens what it names to anybody who reads it.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(malformed URL)"
    names = [piece.partition("=")[:2] for piece in parts.query.split("&") if piece]
    query = "&".join(f"{name}=..." if equals else "..." for name, equals in names)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query=query, fragment=""))


@implementer(ILogFilterPredicate)
class _Remembering:
    """A predicate that looks at level and namespace alone, asked once for each pair of them."""

    def __init__(self, predicate: LogLevelFilterPredicate) -> None:
        self._is_wanted = lru_cache(_REMEMBERED)(
            lambda level, namespace: predicate({"log_level": level, "log_namespace": namespace})
        )

    def __call__(self, event: LogEvent) -> Any:
        return self._is_wanted(event.get("log_level"), event.get("log_namespace"))


def _as_text(event: LogEvent) -> str:
    access = event.get("access")
    message = formatEvent(event) if access is None else _pairs(access)
    head = f"{_time(event)} {_level(event)} {event.get('log_namespace', '-')}"
    return f"{_printable(f'{head} {message}')}\n" + "".join(
        f"    {_printable(line)}\n" for line in _traceback(event).splitlines()
    )


def _as_json(event: LogEvent) -> str:
    access = event.get("access")
    fields: dict[str, object] = {
        "time": _time(event),
        "level": _level(event),
        "namespace": event.get("log_namespace", "-"),
    }
    if access is None:
        fields["message"] = formatEvent(event)
    else:
        fields = {**access, **fields}
    if "log_failure" in event:
        fields["traceback"] = _traceback(event)
    # ASCII alone, so that nothing but DEL is left that a terminal could take for a command.
    return json.dumps(fields, default=str).replace("\x7f", "\\u007f") + "\n"


def _time(event: LogEvent) -> str:
    moment = datetime.fromtimestamp(event.get("log_time", 0.0), timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return "-" if level is None else str(level.name)


def _traceback(event: LogEvent) -> str:
    failure = event.get("log_failure")
    return "" if failure is None else str(failure.getTraceback())


def _pairs(access: dict[str, object]) -> str:
    return " ".join(f"{name}={_quoted(str(value))}" for name, value in access.items())


def _quoted(value: str) -> str:
    """``value`` as it is where it reads as one word, else as a JSON string."""
    if _WORD.fullmatch(value):
        return value
    is_word = value.isprintable() and not any(sign in value for sign in ' "=') and value
    return value if is_word else json.dumps(value, ensure_ascii=False)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in text
    )


def _encodable(line: Callable[[LogEvent], str], stream: TextIO) -> Callable[[LogEvent], str]:
    """``line``, what the stream's encoding lacks being escaped: no event is lost to it."""
    encoding = getattr(stream, "encoding", None) or "utf-8"

    def format_event(event: LogEvent) -> str:
        return line(event).encode(encoding, "backslashreplace").decode(encoding)

    return format_event
