"""``GET /quota/history`` over HTTP."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from hubmirror.quota.counters import ADMITTED, BYTES_OUT
from hubmirror.quota.history import Step
from tests.monitor.watching import Watched, unchunked
from tests.registry.edge import Wire, hang_up

HOUR, DAY = 3600, 86400
NOON = 20000.5 * DAY


@pytest.fixture
def watched() -> Watched:
    """Counted: one in the minute that runs, two an hour before, four two days before."""
    past = [2.0 * DAY]
    found = Watched(now=lambda: NOON - past[0])
    for ago, number in ((2 * DAY, 4), (HOUR, 2), (0, 1)):
        past[0] = ago
        found.quota.tally.add(ADMITTED, number)
        found.quota.tally.add(BYTES_OUT, 1000 * number)
    return found


def told(wire: Wire) -> Any:
    """The JSON of an answer that came whole."""
    assert wire.status() == 200, wire.body()
    return json.loads(unchunked(wire.body()))


@pytest.mark.parametrize(
    ("query", "span", "step", "count", "first"),
    [
        ("", "24h", "minute", 1440, "2024-10-03T12:01:00Z"),
        ("?range=24h", "24h", "minute", 1440, "2024-10-03T12:01:00Z"),
        ("?range=24h&step=hour", "24h", "hour", 24, "2024-10-03T13:00:00Z"),
        ("?range=24h&step=day", "24h", "day", 1, "2024-10-04T00:00:00Z"),
        ("?range=35d", "35d", "hour", 840, "2024-08-30T13:00:00Z"),
        ("?step=day&range=35d", "35d", "day", 35, "2024-08-31T00:00:00Z"),
        ("?range=400d", "400d", "day", 400, "2023-09-01T00:00:00Z"),
        ("?range=400d&step=day&format=json", "400d", "day", 400, "2023-09-01T00:00:00Z"),
    ],
)
def test_ranges_and_steps(
    watched: Watched, query: str, span: str, step: str, count: int, first: str
) -> None:
    """Oldest first, the one that runs at the end."""
    answer = told(ask(watched, f"/quota/history{query}"))
    assert (answer["range"], answer["step"]) == (span, step)
    assert len(answer["rows"]) == count
    assert answer["rows"][0]["start"] == first
    starts = [row["start"] for row in answer["rows"]]
    assert starts == sorted(starts)


def ask(watched: Watched, path: str, *headers: str) -> Wire:
    """As ``Watched.ask``, and wait for the last row."""
    wire = watched.ask(path, *headers)
    watched.settle()
    watched.settle()
    return wire


def test_rows(watched: Watched) -> None:
    """As ``Counters`` tells them."""
    minutes = told(ask(watched, "/quota/history?range=24h"))["rows"]
    assert [row["admitted"] for row in minutes[-61:]] == [2, *[0] * 59, 1]
    assert sum(row["admitted"] for row in minutes) == 3
    days = told(ask(watched, "/quota/history?range=400d"))["rows"]
    assert [row["admitted"] for row in days[-3:]] == [4, 0, 3]
    today = watched.quota.tally.latest(Step.DAY)
    assert days[-1] == {"start": "2024-10-04T00:00:00Z", **today.as_json()}


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("range=24hours", "24h, 35d, 400d"),
        ("range=", "24h, 35d, 400d"),
        ("range=24h&step=second", "minute, hour, day"),
        ("range=24h&format=xml", "json, csv"),
        ("range=35d&step=minute", "1440 minutes"),
        ("range=400d&step=hour", "840 hours"),
        ("rnage=24h", "range, step and format"),
        ("range=24h&range=35d", "each once"),
        ("range=%FF%00", "24h, 35d, 400d"),
    ],
)
def test_what_can_not_be_asked(watched: Watched, query: str, word: str) -> None:
    """400 says what can."""
    wire = watched.ask(f"/quota/history?{query}")
    assert wire.status() == 400
    assert word in wire.error()["message"]


@pytest.mark.parametrize(
    ("query", "accept", "is_csv"),
    [
        ("?format=csv", "application/json", True),
        ("?format=json", "text/csv", False),
        ("", "text/csv", True),
        ("", "Text/CSV;header=present", True),
        ("", "text/csv;q=0.5, application/json", False),
        ("", "text/csv, application/json;q=0.9", True),
        ("", "text/csv, */*;q=0.1", True),
        ("", "text/csv;q=0", False),
        ("", "text/csv;q=nonsense", False),
        ("", "*/*", False),
        ("", "text/html", False),
    ],
)
def test_json_or_csv(watched: Watched, query: str, accept: str, is_csv: bool) -> None:
    """The parameter counts before ``Accept``; what is not understood is JSON."""
    head = watched.ask(f"/quota/history{query}", f"Accept: {accept}").head()
    assert ("Content-Type: text/csv; charset=utf-8; header=present\r\n" in head) is is_csv
    assert ("Content-Type: application/json\r\n" in head) is not is_csv
    assert "Vary: Accept\r\n" in head


def test_csv(watched: Watched) -> None:
    """One header, one line a row, numbers flattened by dotted names."""
    wire = ask(watched, "/quota/history?range=24h&format=csv")
    disposition = 'attachment; filename="hubmirror-24h-minute.csv"'
    assert f"Content-Disposition: {disposition}" in wire.head()
    text = unchunked(wire.body()).decode()
    assert text.count("start") == 1
    assert text.count("\r\n") == text.count("\n") == 1441
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert (rows[-1]["start"], rows[-1]["admitted"]) == ("2024-10-04T12:00:00Z", "1")
    assert {"by_kind.token", "by_outcome.stale", "bytes_out", "pulls_saved"} <= rows[0].keys()
    assert all(value.isdigit() for name, value in rows[0].items() if name != "start")


def test_the_rows_leave_a_few_at_a_time(watched: Watched) -> None:
    """Between them the reactor turns: 1,440 at once would hold up all else."""
    protocol, wire = watched.connect("127.0.0.1")
    protocol.dataReceived(b"GET /quota/history HTTP/1.1\r\nHost: localhost\r\n\r\n")
    sizes = [len(wire.value())]

    def turn() -> None:
        sizes.append(len(wire.value()))
        if len(sizes) < 20:
            watched.clock.callLater(0, turn)

    watched.clock.callLater(0, turn)
    watched.settle()
    assert sizes == sorted(set(sizes))
    assert sizes[-1] < len(wire.value())


def test_a_slow_client_is_waited_for(watched: Watched) -> None:
    """No more is made than it takes."""
    protocol, wire = watched.connect("127.0.0.1")
    protocol.dataReceived(b"GET /quota/history HTTP/1.1\r\nHost: localhost\r\n\r\n")
    protocol.pauseProducing()
    size = len(wire.value())
    watched.settle()
    assert len(wire.value()) == size
    protocol.resumeProducing()
    watched.settle()
    watched.settle()
    assert len(told(wire)["rows"]) == 1440


def test_a_client_that_leaves_ends_it(watched: Watched) -> None:
    """No more rows are made, and nothing is logged as a defect."""
    protocol, wire = watched.connect("127.0.0.1")
    protocol.dataReceived(b"GET /quota/history HTTP/1.1\r\nHost: localhost\r\n\r\n")
    size = len(wire.value())
    protocol.stopProducing()
    hang_up(protocol)
    watched.settle()
    assert len(wire.value()) == size
    assert not [call for call in watched.clock.getDelayedCalls() if call.active()]


def test_head(watched: Watched) -> None:
    """The same fields, and no rows are made."""
    wire = watched.ask("/quota/history?range=24h&format=csv", method="HEAD")
    assert "text/csv" in wire.head()
    assert wire.body() == b""
