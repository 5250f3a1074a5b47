"""Which checks there are. What they do is seen through the command."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hubmirror.clients.machine import Machine
from hubmirror.config import Config, load
from hubmirror.doctor.checkup import Checkup, upstreams_of
from hubmirror.doctor.clients import ClientFiles

FILE = """
egress_proxy = "http://proxy.example:3128"
[upstream."ghcr.io"]
url = ["https://ghcr.io", "https://stand-in.example"]
egress_proxy = "off"
[upstream."quay.io"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Three upstreams, one of which has a stand-in, and a way of its own."""
    path = tmp_path / "hubmirror.toml"
    path.write_text(FILE)
    flags = {"config": str(path), "data": str(tmp_path), "upstream": "https://hub.example"}
    return load(flags, {}, folder=tmp_path).config


def test_each_upstream_has_its_own_configuration(config: Config) -> None:
    """The default one is first; a stand-in is gone to as what it stands in for."""
    assert [(one.upstream, one.egress_proxy) for one in upstreams_of(config)] == [
        ("https://hub.example", "http://proxy.example:3128"),
        ("https://ghcr.io", None),
        ("https://stand-in.example", None),
        ("https://quay.io", "http://proxy.example:3128"),
    ]


def test_each_upstream_is_looked_at(reactor: Any, config: Config, tmp_path: Path) -> None:
    """By its own way, a proxy's name once; the machine is looked at once."""
    clients = ClientFiles(Machine(tmp_path), lambda _: None, [])

    checks = Checkup(reactor, lambda: 0.0, 5).of_mirror(config, None, clients)

    counts = Counter(check.name for check in checks)
    hosts = ("hub.example", "ghcr.io", "stand-in.example", "quay.io")
    assert [counts[host] for host in hosts] == [1] * 4
    assert counts["name"] == 3
    assert counts["proxy"] == 4
    assert [counts[name] for name in ("mtu", "certificate", "disk", "port", "clients")] == [1] * 5
