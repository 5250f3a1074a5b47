"""Tests of the log's lines, seen through the observer that writes them."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from select import PIPE_BUF
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from hubmirror.logs import MOST_WAITING, LineWriter, is_journal, make_observer, redact

#: 2024-06-20T00:27:26.500Z
MOMENT = 1718843246.5


def logged(log_format: str = "text", level: str = "info", **event: Any) -> str:
    """What an event becomes."""
    stream = io.StringIO()
    given_event = {
        "log_time": MOMENT,
        "log_level": LogLevel.info,
        "log_namespace": "hubmirror.test",
        **event,
    }
    make_observer(log_format, level, stream)(given_event)
    return stream.getvalue()


def logged_json(**event: Any) -> dict[str, Any]:
    """The object that an event becomes, which stands on one line."""
    line = logged("json", **event)
    assert line.count("\n") == 1
    return dict(json.loads(line))


def failure() -> Failure:
    """A failure whose message tries to look like a line of the log."""
    try:
        raise ValueError("bad\n2024-06-20T00:27:26.500Z info forged\x1b[2J")
    except ValueError:
        return Failure()


def test_text() -> None:
    """Time, level, namespace and message, on one line."""
    line = logged(log_format="text", log_source=None)
    assert line == "2024-06-20T00:27:26.500Z info hubmirror.test \n"


def test_a_message_is_formatted() -> None:
    """The event's values stand in its format, as Twisted's logger has it."""
    stream = io.StringIO()
    log = Logger(namespace="hubmirror.test", observer=make_observer("text", "info", stream))
    log.warn("{count} left", count=7)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warn hubmirror\.test 7 left\n", stream.getvalue()
    )


def test_json() -> None:
    """The same as an object."""
    stream = io.StringIO()
    log = Logger(namespace="hubmirror.test", observer=make_observer("json", "info", stream))
    log.error("{count} left", count=7)
    event = json.loads(stream.getvalue())
    assert event.pop("time").endswith("Z")
    assert event == {"level": "error", "namespace": "hubmirror.test", "message": "7 left"}


@pytest.mark.parametrize(
    ("level", "mark"),
    [
        (LogLevel.info, "<6>"),
        (LogLevel.warn, "<4>"),
        (LogLevel.error, "<3>"),
        (LogLevel.critical, "<2>"),
    ],
)
def test_the_journal_has_the_level_in_front(level: Any, mark: str) -> None:
    """And the time of its own."""
    assert logged("journal", log_level=level) == f"{mark}hubmirror.test \n"


def test_each_line_of_a_traceback_is_the_journals() -> None:
    """It takes each for an entry."""
    lines = logged("journal", log_level=LogLevel.critical, log_failure=failure()).splitlines()

    assert len(lines) > 3
    assert {line[:3] for line in lines} == {"<2>"}


def test_whether_a_stream_is_the_journals(tmp_path: Path) -> None:
    """It says which one is; a stream that was redirected is another."""
    with (tmp_path / "journal").open("w") as journal, (tmp_path / "other").open("w") as other:
        found = os.fstat(journal.fileno())
        environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}

        assert is_journal(environ, journal)
        assert not is_journal(environ, other)
        assert not is_journal({}, journal)


def test_access_fields_in_text() -> None:
    """They stand for the message; what is not one word is quoted."""
    line = logged(access={"status": 200, "path": "/v2/", "agent": 'a "b"', "none": "", "e": "x=y"})
    fields = line.split(" ", 3)[3]
    assert fields == 'status=200 path=/v2/ agent="a \\"b\\"" none="" e="x=y"\n'


def test_access_fields_in_json() -> None:
    """They are keys of their own, with their types, and can't replace the event's own keys."""
    event = logged_json(access={"status": 200, "seconds": 0.5, "time": "forged"})
    assert event == {
        "status": 200,
        "seconds": 0.5,
        "time": "2024-06-20T00:27:26.500Z",
        "level": "info",
        "namespace": "hubmirror.test",
    }


def test_a_traceback_in_text_is_indented() -> None:
    """Every line after the first begins with white space, whatever the exception says."""
    first, *rest = logged(log_failure=failure()).splitlines()
    assert first.startswith("2024")
    assert "    builtins.ValueError: bad" in rest
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_a_traceback_in_json_is_a_key() -> None:
    """The event stays one line."""
    assert "ValueError: bad" in logged_json(log_failure=failure())["traceback"]


@given(st.text(), st.sampled_from(["text", "json"]))
def test_nothing_logged_forges_a_line(hostile: str, log_format: str) -> None:
    """Whatever a message or a field holds, the event is one line of printable signs."""
    for event in ({"access": {"path": hostile}}, {"text": hostile}):
        stream = io.StringIO()
        log = Logger(namespace="x", observer=make_observer(log_format, "info", stream))
        log.info("{text}", **{"text": "", **event})
        line = stream.getvalue()
        assert line.endswith("\n")
        assert line[:-1].isprintable()


def test_escapes_show_what_they_stand_for() -> None:
    """A line's end, an escape sequence and a direction override become visible."""
    line = logged(access={"a": "x"}, log_namespace="a\nb\x1b\u202e")
    assert " a\\nb\\x1b\\u202e " in line


def test_a_stream_that_lacks_a_sign_loses_no_event() -> None:
    """What the stream's encoding has no byte for is escaped."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    make_observer("text", "info", stream)(
        {"log_level": LogLevel.info, "log_namespace": "x", "access": {"name": "ü"}}
    )
    assert raw.getvalue().endswith(b"name=\\xfc\n")


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "warn", "error", "critical"]),
        ("info", ["info", "warn", "error", "critical"]),
        ("warn", ["warn", "error", "critical"]),
        ("error", ["error", "critical"]),
    ],
)
def test_levels(level: str, shown: list[str]) -> None:
    """What is below the level is not logged."""
    lines = [
        one.name
        for one in LogLevel.iterconstants()
        if logged(level=level, log_level=one, access={"a": 1})
    ]
    assert sorted(lines) == sorted(shown)


@pytest.mark.parametrize("namespace", ["twisted.web.http.HTTPChannel", "log_legacy"])
def test_news_of_twisted_itself_shows_at_debug_only(namespace: str) -> None:
    """Its warnings show at any level."""
    event: dict[str, Any] = {"log_namespace": namespace, "access": {"a": 1}}
    assert not logged(level="info", **event)
    assert logged(level="debug", **event)
    assert logged(level="info", log_level=LogLevel.warn, **event)


class Pause:
    """A writer whose lines wait until ``is_over``."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.works: list[Callable[[], None]] = []
        self.writer: LineWriter = make_observer("text", "info", self.stream, self.works.append)

    def log(self, **event: Any) -> None:
        """Let something happen."""
        self.writer({"log_level": LogLevel.info, "log_namespace": "x", **event})

    def is_over(self) -> None:
        """The moment for which the lines wait has passed."""
        works, self.works[:] = list(self.works), []
        for work in works:
            work()

    def written(self) -> list[str]:
        """The last word of each line so far."""
        return [line.rpartition(" ")[2] for line in self.stream.getvalue().splitlines()]


def test_the_access_log_is_written_a_moment_later() -> None:
    """All that waits at once, for which it is asked once; then the next wait."""
    pause = Pause()
    pause.log(access={"n": 1})
    pause.log(access={"n": 2})
    assert (pause.written(), len(pause.works)) == ([], 1)
    pause.is_over()
    assert pause.written() == ["n=1", "n=2"]
    pause.log(access={"n": 3})
    assert (pause.written(), len(pause.works)) == (["n=1", "n=2"], 1)
    pause.is_over()
    assert pause.written() == ["n=1", "n=2", "n=3"]


def test_other_events_are_written_at_once_and_in_order() -> None:
    """Behind what waits, which the end of the moment does not write again."""
    pause = Pause()
    pause.log(access={"n": 1})
    pause.log(log_format="warned")
    assert pause.written() == ["n=1", "warned"]
    pause.is_over()
    assert pause.written() == ["n=1", "warned"]


def test_what_is_not_wanted_has_nothing_written() -> None:
    """Not even what waits."""
    pause = Pause()
    pause.log(access={"n": 1})
    pause.log(log_level=LogLevel.debug, log_format="unwanted")
    pause.log(log_level=LogLevel.debug, access={"n": 2})
    assert pause.written() == []


def test_not_too_many_lines_wait() -> None:
    """What is more is written, though the moment is not over."""
    pause = Pause()
    for number in range(MOST_WAITING - 1):
        pause.log(access={"n": number})
    assert pause.written() == []
    pause.log(access={"n": "last"})
    assert len(pause.written()) == MOST_WAITING


def test_lines_go_out_whole() -> None:
    """Many in one write, but never more than what no other writer to a pipe can get between."""
    pause = Pause()
    pieces: list[str] = []
    pause.stream.write = pieces.append  # type: ignore[method-assign,assignment]
    for number in range(200):
        pause.log(access={"n": number})
    pause.log(access={"long": "x" * 2 * PIPE_BUF})
    pause.log(access={"n": "last"})
    pause.is_over()
    assert [piece[-1] for piece in pieces] == ["\n"] * len(pieces)
    assert "".join(pieces).count("\n") == 202
    *usual, long, _last = pieces
    assert PIPE_BUF // 2 < max(map(len, usual)) <= PIPE_BUF
    assert long.count("\n") == 1


def test_the_end_of_the_process_writes_what_waits() -> None:
    """Once."""
    pause = Pause()
    pause.log(access={"n": 1})
    pause.writer.flush()
    pause.writer.flush()
    assert pause.written() == ["n=1"]


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1718843246.0009, "2024-06-20T00:27:26.000Z"),
        (1718843246.999, "2024-06-20T00:27:26.999Z"),
        (1718843246.9999999, "2024-06-20T00:27:27.000Z"),
        (-0.5, "1969-12-31T23:59:59.500Z"),
    ],
)
def test_times(moment: float, shown: str) -> None:
    """To the millisecond that has begun, in UTC."""
    assert logged(log_time=moment, access={"a": 1}).startswith(f"{shown} ")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://user:s3cret@x.org:1/a?X-Sig=s3cret&ns=b#s3cret",
            "https://x.org:1/a?X-Sig=...&ns=...",
        ),
        ("https://a:b@s3cret@x.org/", "https://x.org/"),
        ("/token?s3cret", "/token?..."),
        ("https://x.org/v2/", "https://x.org/v2/"),
        ("http://[s3cret", "(malformed URL)"),
        ("", ""),
    ],
)
def test_redact(url: str, shown: str) -> None:
    """Userinfo, the query's values and the fragment go; what names the place stays."""
    assert redact(url) == shown


def test_another_form_and_level_from_then_on() -> None:
    """What waits is written as it would have been."""
    pause = Pause()
    pause.log(access={"n": 1})
    pause.writer.become(make_observer("json", "warn", pause.stream))
    pause.log(access={"n": 2})
    pause.log(log_level=LogLevel.warn, log_format="a warning")
    pause.is_over()
    first, second = pause.stream.getvalue().splitlines()
    assert first.endswith("n=1")
    assert json.loads(second)["message"] == "a warning"
