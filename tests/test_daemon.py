"""The service's life: it listens, reads its configuration again, and stops."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from treq.client import HTTPClient
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.web.client import Agent
from twisted.web.http_headers import Headers
from zope.interface import provider

from hubmirror.daemon import Daemon
from hubmirror.options import Options
from hubmirror.tap import compose, store


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged while a test runs."""
    seen: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        seen.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture
def signals() -> Iterator[None]:
    """Leave the process's signal handlers as they were."""
    kept = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, previous in kept.items():
        signal.signal(number, previous)


class Running:
    """A daemon in this process, configured by a file."""

    def __init__(
        self,
        reactor: Any,
        folder: Path,
        lines: list[str],
        upstream: str = 'upstream = "http://127.0.0.1:9"\n',
    ) -> None:
        self.reactor = reactor
        self.upstream = upstream
        self.file = folder / "hubmirror.toml"
        self.lines = lines
        self.configure(100)
        options = Options()
        options.parseOptions(["--config", str(self.file)])
        self.daemon = Daemon(options, reactor, partial(store, reactor), partial(compose, reactor))
        self.http = HTTPClient(Agent(reactor))

    def configure(self, quota: int, **more: object) -> None:
        """Write the file; nothing listens at port 9 of loopback, so the upstream is down."""
        values = {
            "http": "127.0.0.1:0",
            "data": str(self.file.parent / "data"),
            "quota": quota,
            **more,
        }
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
        self.file.write_text("".join(lines) + self.upstream)

    async def until(self, words: str) -> str:
        """The first logged line that holds ``words``."""
        for _ in range(1000):
            found = [line for line in self.lines if words in line]
            if found:
                return found[0]
            await deferLater(self.reactor, 0.005)
        raise AssertionError(f"never said: {words}; said: {self.lines}")

    async def reload(self) -> None:
        """Have it read the file again, and come through."""
        del self.lines[:]
        os.kill(os.getpid(), signal.SIGHUP)
        await self.until("is in force")

    async def url(self, scheme: str = "http") -> str:
        """Where it listens."""
        return (await self.until(f"listening on {scheme}:")).rpartition(" ")[2]

    async def status(self, url: str) -> int:
        """What an answer begins with, over a connection of its own."""
        response = await self.http.get(url, headers=Headers({"Connection": ["close"]}))
        await response.content()
        return int(response.code)

    async def quota(self) -> dict[str, Any]:
        """What ``/quota`` tells, over a connection of its own."""
        url = (await self.until("listening on ")).rpartition(" ")[2]
        response = await self.http.get(f"{url}/quota", headers=Headers({"Connection": ["close"]}))
        told: dict[str, Any] = await response.json()
        return told


@pytest_twisted.ensureDeferred
async def test_listens_reloads_and_stops(
    reactor: Any, tmp_path: Path, lines: list[str], signals: None
) -> None:
    """The whole life, in one: SIGHUP changes the limit, and a bad file changes nothing."""
    running = Running(reactor, tmp_path, lines)
    running.daemon.startService()
    try:
        assert (await running.quota())["limit"] == 100
        await running.until("does not answer")
        assert sum("listening on http" in line for line in lines) == 1
        running.configure(200, shutdown_grace=1)
        os.kill(os.getpid(), signal.SIGHUP)
        await running.until("is in force")
        assert (await running.quota())["limit"] == 200
        running.file.write_text("quota = 'many'\n")
        os.kill(os.getpid(), signal.SIGHUP)
        assert "quota" in await running.until("configuration in force stays")
        assert (await running.quota())["limit"] == 200
    finally:
        await running.daemon.stopService()


@pytest_twisted.ensureDeferred
async def test_says_what_needs_a_restart(
    reactor: Any, tmp_path: Path, lines: list[str], signals: None
) -> None:
    """The data folder and the number of processes stay, and the log tells, each time."""
    running = Running(reactor, tmp_path, lines)
    running.daemon.startService()
    try:
        await running.until("does not answer")
        running.configure(100, data=str(tmp_path / "other"), workers=2)
        await running.reload()
        told = [line.partition(" ")[0] for line in lines if "needs a restart" in line]
        assert sorted(told) == ["data", "workers"]
        await running.reload()
        assert await running.until("data has changed: that needs a restart")
    finally:
        await running.daemon.stopService()


@pytest_twisted.ensureDeferred
async def test_moves_its_listeners(
    reactor: Any, tmp_path: Path, lines: list[str], signals: None
) -> None:
    """HTTPS comes, HTTP goes to all addresses, watchers get a place of their own, and go back."""
    running = Running(reactor, tmp_path, lines)
    running.daemon.startService()
    try:
        url = await running.url()
        await running.until("does not answer")
        number = url.rpartition(":")[2]
        running.configure(100, http=f":{number}", https="127.0.0.1:0", monitor="127.0.0.1:0")
        await running.reload()
        assert f"{url} " in f"{await running.until('no longer listening')} "
        assert (await running.url("https")).startswith("https://127.0.0.1:")
        assert await running.until("has no TLS and can be reached")
        assert await running.until("ca.pem")
        assert await running.status(f"{url}/quota") == 404
        watched = next(line for line in lines if line.startswith("listening on http://127."))
        assert await running.status(f"{watched.rpartition(' ')[2]}/quota") == 200
        lines.clear()
        running.configure(100, http=f"127.0.0.1:{number}")
        await running.reload()
        assert sum("no longer listening" in line for line in lines) == 3
        assert await running.status(f"{url}/quota") == 200
        assert not any("needs a restart" in line for line in lines)
    finally:
        await running.daemon.stopService()


@pytest_twisted.ensureDeferred
async def test_a_port_that_is_taken_changes_nothing(
    reactor: Any, tmp_path: Path, lines: list[str], signals: None
) -> None:
    """Nothing of the new configuration comes into force, and the log says why."""
    running = Running(reactor, tmp_path, lines)
    running.daemon.startService()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        try:
            await running.until("does not answer")
            number = taken.getsockname()[1]
            running.configure(200, http=["127.0.0.1:0", f"127.0.0.1:{number}"])
            os.kill(os.getpid(), signal.SIGHUP)
            why = await running.until("configuration in force stays")
            assert f"cannot listen on http://127.0.0.1:{number}: Address already in use" in why
            assert (await running.quota())["limit"] == 100
        finally:
            await running.daemon.stopService()


@pytest_twisted.ensureDeferred
async def test_the_upstream_may_be_a_table(
    reactor: Any, tmp_path: Path, lines: list[str], signals: None
) -> None:
    """What is told of the upstream is of where it really is."""
    table = '[upstream."docker.io"]\nurl = "http://127.0.0.1:9"\n'
    running = Running(reactor, tmp_path, lines, table)
    running.daemon.startService()
    try:
        assert "a mirror of http://127.0.0.1:9, data" in await running.until("a mirror of")
        assert "http://127.0.0.1:9 does" in await running.until("does not answer")
        assert (await running.quota())["upstream"]["is_up"] is False
    finally:
        await running.daemon.stopService()


@pytest_twisted.ensureDeferred
async def test_what_can_not_start_says_so_in_a_line(
    reactor: Any, tmp_path: Path, lines: list[str], signals: None, capsys: Any
) -> None:
    """A data folder that another daemon holds: one line, and exit code 1."""
    first, second = Running(reactor, tmp_path, lines), Running(reactor, tmp_path, lines)
    first.daemon.startService()
    try:
        await first.until("does not answer")
        with pytest.raises(SystemExit) as end:
            second.daemon.startService()
        assert end.value.code == 1
        assert "in use by another hubmirror" in capsys.readouterr().err
    finally:
        await first.daemon.stopService()
