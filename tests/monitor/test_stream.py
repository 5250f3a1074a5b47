"""``GET /quota/stream`` over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hubmirror.monitor import stream
from hubmirror.quota.rules import Rules
from hubmirror.registry.channel import LAST_CALL
from tests.conftest import LoggedFailures
from tests.monitor.watching import Watched, unchunked
from tests.registry.edge import Wire, hang_up

STRANGER = "203.0.113.9"


class Client:
    """One who watches, over a connection whose bytes can be read."""

    def __init__(self, watched: Watched, peer: str = "127.0.0.1") -> None:
        self.protocol, self.wire = watched.connect(peer)
        self.protocol.dataReceived(b"GET /quota/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")

    @property
    def text(self) -> str:
        """What has come."""
        return unchunked(self.wire.body()).decode()

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was told."""
        lines = self.text.splitlines()
        assert lines.count("event: quota") == sum(line.startswith("data: ") for line in lines)
        return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]

    @property
    def is_over(self) -> bool:
        """Whether the answer came to its end."""
        return bytes(self.wire.value()).endswith(b"\r\n0\r\n\r\n")

    def leave(self) -> None:
        """Hang up."""
        hang_up(self.protocol)


def counted_reports(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The views for which a report is made, from now on."""
    made: list[bool] = []
    report = type(watched.reporter).now

    def now(reporter: Any, *, names: bool) -> dict[str, object]:
        made.append(names)
        return report(reporter, names=names)

    monkeypatch.setattr(type(watched.reporter), "now", now)
    return made


def runs(watched: Watched) -> bool:
    """Whether anything is to happen within a second."""
    calls = watched.clock.getDelayedCalls()
    return any(call.getTime() <= watched.clock.seconds() + 1 for call in calls)


def test_tells_at_once() -> None:
    """What ``/quota`` tells, on one line, and how soon to come back."""
    watched = Watched(Rules(per_day=10))
    client = Client(watched)
    assert client.text.startswith("retry: 3000\nevent: quota\ndata: {")
    assert client.text.endswith("}\n\n")
    assert client.events == [watched.reporter.now(names=True)]
    head = client.wire.head()
    assert "Content-Type: text/event-stream" in head
    assert "Cache-Control: no-store" in head


def test_tells_changes_once_a_second() -> None:
    """Several changes are one event, none are none."""
    watched = Watched()
    client = Client(watched)
    assert runs(watched)
    watched.get("/v2/")
    watched.get("/v2/")
    assert len(client.events) == 1
    watched.clock.advance(1)
    assert [event["used"] for event in client.events] == [0, 2]
    watched.clock.pump([1] * 5)
    assert len(client.events) == 2


def test_a_silence_is_broken() -> None:
    """By a comment each 15 seconds, for hours: no time-out of the connection ends it."""
    watched = Watched()
    client = Client(watched)
    watched.clock.pump([1] * 14)
    assert ":\n\n" not in client.text.partition("}\n\n")[2]
    watched.clock.pump([1])
    assert client.text.partition("}\n\n")[2] == ":\n\n"
    watched.clock.pump([1] * 3 * 3600)
    assert not client.wire.hung_up
    assert not client.is_over
    watched.get("/v2/")
    watched.clock.advance(1)
    assert client.events[-1]["used"] == 1


def test_each_sees_what_it_may() -> None:
    """The public the numbers, and no more."""
    watched = Watched(is_public=True)
    own, public = Client(watched), Client(watched, STRANGER)
    watched.get("/v2/")
    watched.clock.advance(1)
    assert ["clients" in event for event in own.events] == [True, True]
    assert ["clients" in event for event in public.events] == [False, False]


def test_all_share_what_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a second for each view, however many watch or come."""
    watched = Watched(is_public=True)
    made = counted_reports(watched, monkeypatch)
    for _ in range(5):
        Client(watched)
        Client(watched, STRANGER)
    assert sorted(made) == [False, True]
    watched.clock.advance(1)
    assert sorted(made) == [False, False, True, True]


def test_nobody_watches_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stops with the last one, and starts with the next, who is told the news."""
    watched = Watched()
    made = counted_reports(watched, monkeypatch)
    first, second = Client(watched), Client(watched)
    first.leave()
    watched.clock.advance(1)
    assert made == [True, True]
    second.leave()
    assert not runs(watched)
    watched.get("/v2/")
    assert Client(watched).events[0]["used"] == 1


def test_who_takes_nothing_is_left_out() -> None:
    """Nothing is kept for it; when it takes again it is told how things are then."""
    watched = Watched()
    slow, quick = Client(watched), Client(watched)
    slow.protocol.pauseProducing()
    size = len(slow.wire.value())
    for _ in range(20):
        watched.get("/v2/")
        watched.clock.advance(1)
    assert len(slow.wire.value()) == size
    assert len(quick.events) == 21
    slow.protocol.resumeProducing()
    watched.clock.advance(1)
    assert [event["used"] for event in slow.events] == [0, 20]


def test_who_never_takes_anything_is_cut_off() -> None:
    """By the connection's own limit: its place is for others."""
    watched = Watched()
    client = Client(watched)
    client.protocol.pauseProducing()
    watched.clock.pump([10] * 31)
    assert client.wire.is_closed


def test_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 says when to come back; who leaves makes room."""
    monkeypatch.setattr(stream, "MOST", 2)
    watched = Watched()
    first, _second, third = Client(watched), Client(watched), Client(watched)
    assert third.wire.status() == 503
    assert "Retry-After: 5" in third.wire.head()
    first.leave()
    assert Client(watched).wire.status() == 200


def test_close_ends_all() -> None:
    """The daemon drains: nobody holds it, and nobody begins anew."""
    watched = Watched()
    client, left = Client(watched), Client(watched)
    left.leave()
    watched.stream.close()
    assert client.is_over
    assert client.events
    assert Client(watched).wire.status() == 503
    watched.stream.close()
    assert not runs(watched)
    drained: list[object] = []
    watched.site.drain(30).addCallback(drained.append)
    watched.clock.advance(LAST_CALL)
    assert client.wire.is_closed


def test_a_defect_ends_all(
    logged_failures: LoggedFailures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that stands still would tell that nothing happens; who comes back begins anew."""
    watched = Watched()
    client = Client(watched)
    with monkeypatch.context() as broken:
        broken.setattr(type(watched.reporter), "now", lambda _self, names: 1 / 0)
        watched.clock.advance(1)
    assert client.is_over
    assert len(logged_failures.take(ZeroDivisionError)) == 1
    client = Client(watched)
    watched.get("/v2/")
    watched.clock.advance(1)
    assert len(client.events) == 2


def test_head_is_over_at_once() -> None:
    """It takes no place."""
    watched = Watched()
    wire: Wire = watched.ask("/quota/stream", method="HEAD")
    assert "text/event-stream" in wire.head()
    assert not runs(watched)
