"""A real Prometheus scrapes the daemon."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from attrs import frozen

from tests.support.mirror import Mirror, MirrorStarter
from tests.support.programs import Program, run
from tests.support.upstream import halting_registry
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

CONFIGURATION = """\
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
  - job_name: hubmirror
    static_configs: [{targets: ["TARGET"]}]
"""


@frozen
class Prometheus:
    """A Prometheus, asked by its HTTP API."""

    program: Program
    authority: str

    def value(self, query: str) -> float | None:
        """What ``query`` comes to; None without a sample, or while it starts."""
        connection = http.client.HTTPConnection(self.authority, timeout=10)
        try:
            connection.request("GET", f"/api/v1/query?{urlencode({'query': query})}")
            response = connection.getresponse()
            answer = response.read()
        except OSError:
            return None
        finally:
            connection.close()
        if response.status != 200:
            return None
        result = json.loads(answer)["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def wait_for(self, query: str) -> float:
        """The value of ``query``, a comparison, once it holds."""
        wait_until(lambda: self.value(query) is not None, query, context=self.program.text)
        value = self.value(query)
        assert value is not None
        return value


@pytest.fixture
def mirror(start: MirrorStarter) -> Iterator[Mirror]:
    """A mirror of a registry that answers."""
    with halting_registry() as upstream:
        yield start("twistd", "--http", "127.0.0.1:0", "--quota", "50", "--upstream", upstream.url)


@pytest.fixture
def prometheus(mirror: Mirror, tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes ``mirror``."""
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(CONFIGURATION.replace("TARGET", mirror.authority))
    address = f"127.0.0.1:{free_port()}"
    program = Program(
        [
            *("prometheus", f"--config.file={configuration}", f"--web.listen-address={address}"),
            f"--storage.tsdb.path={tmp_path / 'prometheus'}",
        ],
        tmp_path / "prometheus.log",
        cwd=tmp_path,
    )
    try:
        yield Prometheus(program, address)
    finally:
        program.stop()


def free_port() -> int:
    """A port that nobody listens on just now: Prometheus does not tell one that it chose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_prometheus_scrapes_it(mirror: Mirror, prometheus: Prometheus) -> None:
    """It is up, and requests are seen to be counted."""
    assert prometheus.wait_for('up{job="hubmirror"} == 1') == 1
    before = prometheus.wait_for("sum(hubmirror_requests_total) >= 0")

    for _ in range(3):
        assert mirror.ask("/v2/").status == 200

    assert prometheus.wait_for(f"sum(hubmirror_requests_total) > {before + 2}") == before + 3
    assert prometheus.value('hubmirror_quota_used{window="day"}') == 3
    assert prometheus.value('hubmirror_quota_limit{window="day"}') == 50
    assert prometheus.value("process_resident_memory_bytes > 1e6") is not None


def test_promtool_finds_nothing(mirror: Mirror) -> None:
    """What a daemon really tells is as Prometheus' conventions have it."""
    assert run("promtool", "check", "metrics", stdin=mirror.ask("/metrics").body.decode()) == ""
