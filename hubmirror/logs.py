"""The log: one line an event, as text or as JSON, that no logged byte can forge.

An event of the access log carries ``access``, a dict of simple values: they are its fields and
stand for its message. Source of the time's form: RFC 3339; of the journal's: sd-daemon(3).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from select import PIPE_BUF
from threading import Lock
from typing import Final, TextIO
from urllib.parse import urlsplit, urlunsplit

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    PredicateResult,
    formatEvent,
)
from zope.interface import implementer

__all__ = ["LineWriter", "is_journal", "make_observer", "redact"]

#: Twisted's own news (factories that start, clients that time out) is for debugging.
_NOISY = ("twisted", "log_legacy")
#: What needs no quotes, for sure: printable ASCII without space, quotation mark and equals sign.
_WORD = re.compile(r"[!#-<>-~]+")
#: Of how many pairs of level and namespace it is remembered whether they are wanted.
_REMEMBERED: Final = 1024
#: As ``json.dumps`` would, which makes an encoder for each event.
_ENCODED: Final = json.JSONEncoder(default=str).encode
#: How the journal calls levels: a number before each line.
_PRIORITIES: Final = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}
#: The most events of the access log that wait to be written.
MOST_WAITING: Final = 500

#: Has some work done a moment later.
Later = Callable[[Callable[[], None]], object]


def make_observer(
    log_format: str, level: str, stream: TextIO, later: Later | None = None
) -> LineWriter:
    """Write events of at least ``level`` (debug, info, warn, error) to ``stream``.

    ``log_format`` is ``text``, ``json`` or ``journal``, which is text for systemd's journal: the
    level in its own form, and no time, as it has one. What Twisted itself says below a warning
    shows at ``debug`` only. Whatever an event holds becomes exactly one line, except that in text
    a failure's traceback follows on indented lines. ``later`` is as ``LineWriter`` has it.
    """
    predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.levelWithName(level))
    if level == "info":
        for namespace in _NOISY:
            predicate.setLogLevelForNamespace(namespace, LogLevel.warn)
    return LineWriter(_FORMATS[log_format], predicate, stream, later)


@implementer(ILogObserver)
class LineWriter:
    """Writes events to ``stream``, each as ``line`` has it, if the ``predicate`` wants it.

    The predicate looks at level and namespace alone. The access log's events wait until ``later``
    has them written, many at once: one by one, amid all else, that would be a fifth of what an
    answer from memory costs. What else happens is written at once, behind what waits; so no order
    changes, and a crash loses a moment of the access log and nothing else. Without ``later``
    nothing waits.

    ``flush`` is for the end of the process. Events of the access log come from one thread; others
    may come from any.
    """

    def __init__(
        self,
        line: Callable[[LogEvent], str],
        predicate: LogLevelFilterPredicate,
        stream: TextIO,
        later: Later | None = None,
    ) -> None:
        self._line = line
        self._stream = stream
        self._later = later
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._waiting: list[LogEvent] = []
        self._writing = Lock()
        self._is_wanted = lru_cache(_REMEMBERED)(
            lambda level, namespace: (
                predicate({"log_level": level, "log_namespace": namespace}) != PredicateResult.no
            )
        )

    def __call__(self, event: LogEvent) -> None:
        if not self._is_wanted(event.get("log_level"), event.get("log_namespace")):
            return
        if self._later is None or "access" not in event:
            self.flush()
            with self._writing:
                self._write([event])
            return
        self._waiting.append(event)
        if len(self._waiting) >= MOST_WAITING:
            self.flush()
        elif len(self._waiting) == 1:
            self._later(self.flush)

    def become(self, other: LineWriter) -> None:
        """Write as ``other`` would from now on, what waits as before."""
        self.flush()
        self._line, self._is_wanted = other._line, other._is_wanted

    def flush(self) -> None:
        """Write what waits."""
        waiting = self._waiting
        if not waiting:
            return
        with self._writing:
            count = len(waiting)  # more may come meanwhile
            events = waiting[:count]
            del waiting[:count]
            self._write(events)

    def _write(self, events: list[LogEvent]) -> None:
        for piece in _pieces(map(self._encodable, events)):
            self._stream.write(piece)
            self._stream.flush()

    def _encodable(self, event: LogEvent) -> str:
        """The event's line, what the stream's encoding lacks being escaped: none is lost to it."""
        line = self._line(event)
        if line.isascii():
            return line
        return line.encode(self._encoding, "backslashreplace").decode(self._encoding)


def is_journal(environ: Mapping[str, str], stream: TextIO) -> bool:
    """Whether ``stream`` goes to systemd's journal. Source: systemd.exec(5), JOURNAL_STREAM."""
    told = environ.get("JOURNAL_STREAM")
    if told is None:
        return False
    found = os.fstat(stream.fileno())
    return told == f"{found.st_dev}:{found.st_ino}"


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


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """``lines`` together, but no more than a pipe takes whole: other processes may write there.

    The lines that come together are of ASCII, or nearly so: the signs are counted, not the bytes.
    """
    piece: list[str] = []
    size = 0
    for line in lines:
        if piece and size + len(line) > PIPE_BUF:
            yield "".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    yield "".join(piece)


def _as_text(event: LogEvent) -> str:
    return _lines(event, f"{_time(event)} {_level(event)} ")


def _as_journal(event: LogEvent) -> str:
    mark = f"<{_PRIORITIES.get(_level(event), 6)}>"
    return "".join(f"{mark}{line}\n" for line in _lines(event, "").splitlines())


def _lines(event: LogEvent, head: str) -> str:
    access = event.get("access")
    message = formatEvent(event) if access is None else _pairs(access)
    text = _printable(f"{head}{event.get('log_namespace', '-')} {message}") + "\n"
    if "log_failure" in event:
        text += "".join(f"    {_printable(line)}\n" for line in _traceback(event).splitlines())
    return text


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
    return _ENCODED(fields).replace("\x7f", "\\u007f") + "\n"


def _time(event: LogEvent) -> str:
    microseconds = round(event.get("log_time", 0.0) * 1_000_000)
    second, rest = divmod(microseconds, 1_000_000)
    return f"{_time_of_second(second)}.{rest // 1000:03d}Z"


@lru_cache(1)
def _time_of_second(second: int) -> str:
    return datetime.fromtimestamp(second, timezone.utc).isoformat().removesuffix("+00:00")


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return "-" if level is None else str(level.name)


def _traceback(event: LogEvent) -> str:
    failure = event.get("log_failure")
    return "" if failure is None else str(failure.getTraceback())


def _pairs(access: dict[str, object]) -> str:
    values = [str(value) for value in access.values()]
    if not (all(values) and _WORD.fullmatch("".join(values))):
        values = [_quoted(value) for value in values]
    return " ".join(map("=".join, zip(access, values, strict=True)))


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


_FORMATS: Final[Mapping[str, Callable[[LogEvent], str]]] = {
    "text": _as_text,
    "json": _as_json,
    "journal": _as_journal,
}
