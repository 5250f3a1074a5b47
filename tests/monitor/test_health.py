"""``GET /healthz`` and ``GET /readyz``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred

from hubmirror.cache.threads import Threads
from hubmirror.monitor.health import KEEP, PATIENCE, PROBE, Healthz, Readyz, StoreCheck
from tests.fetching.inline import InlinePool
from tests.registry.edge import Edge, Wire, hang_up


@define
class Daemon:
    """A mirror whose readiness depends on ``folder`` and on what the test says."""

    folder: Path
    is_upstream_up: bool = True
    is_open: bool = True
    is_draining: bool = False
    pool: InlinePool = field(factory=InlinePool)
    edge: Edge = field(factory=Edge)
    check: StoreCheck = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir()
        clock: Any = self.edge.clock
        pool: Any = self.pool
        self.check = StoreCheck(self.folder, Threads(clock, pool), clock)
        ready = Readyz(
            self.check,
            is_upstream_up=lambda: self.is_upstream_up,
            is_open=lambda: self.is_open,
            is_draining=lambda: self.is_draining,
        )
        self.edge.site.resource.putChild(b"healthz", Healthz())
        self.edge.site.resource.putChild(b"readyz", ready)

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Status and body of ``/readyz``."""
        return told(self.edge.get("/readyz"))


def told(wire: Wire) -> tuple[int, dict[str, Any]]:
    """What an answer says."""
    return wire.status(), json.loads(wire.body())


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    """One that is ready."""
    return Daemon(tmp_path / "data")


def test_healthz(daemon: Daemon) -> None:
    """It answers: that is all, whatever else is wrong."""
    daemon.is_open = False
    wire = daemon.edge.get("/healthz")
    assert told(wire) == (200, {"status": "ok"})
    assert "application/json" in wire.head()
    assert "Cache-Control: no-store" in wire.head()


def test_ready(daemon: Daemon) -> None:
    """And nothing is left in the folder."""
    wire = daemon.edge.get("/readyz")
    assert told(wire) == (
        200,
        {"ready": True, "store": {"writable": True}, "upstream": {"is_up": True}},
    )
    assert "application/json" in wire.head()
    assert "Cache-Control: no-store" in wire.head()
    assert list(daemon.folder.iterdir()) == []


def test_the_same_in_a_word(daemon: Daemon) -> None:
    """For the metrics, by the same tries."""
    found: list[bool] = []
    Deferred.fromCoroutine(daemon.check.is_writable()).addCallback(found.append)
    daemon.folder.rmdir()
    daemon.edge.clock.advance(KEEP)
    Deferred.fromCoroutine(daemon.check.is_writable()).addCallback(found.append)
    assert found == [True, False]


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz", 503)])
def test_head(daemon: Daemon, path: str, status: int) -> None:
    """The status, and no body."""
    daemon.is_draining = True
    wire = daemon.edge.get(path, method="HEAD")
    assert wire.status() == status
    assert wire.body() == b""


def test_an_upstream_that_is_down_is_told(daemon: Daemon) -> None:
    """What is kept is served all the same."""
    daemon.is_upstream_up = False
    status, said = daemon.ask()
    assert status == 200
    assert said["upstream"] == {"is_up": False}


def test_a_daemon_that_ends_is_not_ready(daemon: Daemon) -> None:
    """The store is well, so it says why."""
    daemon.is_draining = True
    status, said = daemon.ask()
    assert status == 503
    assert said["ready"] is False
    assert said["store"] == {"writable": True}
    assert said["why"] == "the daemon is ending"


def test_a_store_that_is_not_open_is_not_ready(daemon: Daemon) -> None:
    """Nor is it written to."""
    daemon.folder.rmdir()
    daemon.is_open = False
    status, said = daemon.ask()
    assert status == 503
    assert said["store"] == {"writable": False, "why": "it is not open yet"}


def test_a_folder_that_is_gone(daemon: Daemon) -> None:
    """It is really tried, and no path is told."""
    daemon.folder.rmdir()
    status, said = daemon.ask()
    assert status == 503
    assert said["ready"] is False
    assert said["store"] == {
        "writable": False,
        "why": "the disk failed: No such file or directory",
    }


def test_a_link_is_not_followed(daemon: Daemon, tmp_path: Path) -> None:
    """Who could plant one would have the daemon empty another file."""
    other = tmp_path / "other"
    other.write_text("precious")
    (daemon.folder / PROBE).symlink_to(other)
    daemon.ask()
    assert other.read_text() == "precious"


def test_what_a_crash_left_is_no_obstacle(daemon: Daemon) -> None:
    """It is written over, and removed."""
    (daemon.folder / PROBE).write_text("old")
    assert daemon.ask()[0] == 200
    assert list(daemon.folder.iterdir()) == []


def test_the_answer_holds_for_a_while(daemon: Daemon) -> None:
    """However many ask, the disk is written to once in ``KEEP`` seconds."""
    assert daemon.ask()[0] == 200
    daemon.folder.rmdir()
    assert daemon.ask()[0] == 200
    daemon.edge.clock.advance(KEEP)
    assert daemon.ask()[0] == 503


def test_a_disk_that_hangs(daemon: Daemon) -> None:
    """It is not ready after ``PATIENCE`` seconds; when the disk answers again, so it is."""
    daemon.pool.is_held = True
    wire = daemon.edge.get("/readyz")
    assert wire.value() == b""
    daemon.edge.clock.advance(PATIENCE)
    status, said = told(wire)
    assert status == 503
    assert said["store"]["why"] == "the disk did not answer within 5 seconds"
    assert daemon.ask()[0] == 503

    daemon.pool.release()
    assert daemon.ask()[0] == 200


def test_a_client_that_leaves_is_no_error(daemon: Daemon) -> None:
    """What it wanted to know comes when it is gone."""
    daemon.pool.is_held = True
    protocol, wire = daemon.edge.connect()
    protocol.dataReceived(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
    hang_up(protocol)
    daemon.pool.release()
    assert wire.value() == b""
    assert daemon.ask()[0] == 200
