"""Tests of the log's lines, seen through the observer that writes them."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from hubmirror.logs import make_observer, redact

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
