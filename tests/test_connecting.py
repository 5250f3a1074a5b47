"""The ways out that a configuration makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.testing import MemoryReactorClock

from hubmirror.config import Config, load
from hubmirror.connecting import connect, egress_of, open_way_out
from hubmirror.errors import HubmirrorError
from hubmirror.question import Ping
from hubmirror.quota.history import MemoryHistory
from hubmirror.quota.tally import Tally
from hubmirror.upstream.breaker import Breaker


def config(**flags: str) -> Config:
    """The configuration of these flags."""
    return load(flags, {}, uid=0).config


def test_a_proxy() -> None:
    """With its login, which is not shown; without one there is none."""
    one = evolve(config(egress_proxy="http://proxy.example:3128"), egress_login=("me", "secret"))
    egress = egress_of(one)
    assert egress is not None
    assert "secret" not in repr(egress)
    assert egress_of(config()) is None


def test_a_ca_that_is_none(tmp_path: Path) -> None:
    """It is told by the setting's name."""
    ca = tmp_path / "ca.pem"
    ca.write_text("none")
    reactor: Any = MemoryReactorClock()
    with pytest.raises(HubmirrorError, match="upstream_ca: "):
        open_way_out(reactor, own_hosts=(), ca=ca, connect_timeout=1)


def test_a_registry() -> None:
    """It is the one at the configuration's ``upstream``."""
    reactor: Any = MemoryReactorClock()
    one = config(upstream="https://registry.example")
    tally = Tally(MemoryHistory(), reactor.seconds)
    connected = connect(reactor, Breaker(reactor), tally, one)
    assert connected.registry.url_of(Ping()) == "https://registry.example/v2/"
