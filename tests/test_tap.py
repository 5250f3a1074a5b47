"""The composition: a configuration becomes the parts that it decides about."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.application.service import IService, IServiceMaker
from twisted.plugin import getPlugins

from hubmirror.config import load
from hubmirror.errors import UpstreamFailure
from hubmirror.quota.daily import DailyQuota
from hubmirror.quota.ledger import MemoryLedger
from hubmirror.tap import Options, compose, makeService, store


def test_twistd_finds_it() -> None:
    """The plugin names this module."""
    (plugin,) = [each for each in getPlugins(IServiceMaker) if each.tapname == "hubmirror"]
    assert cast(Any, plugin).module == "hubmirror.tap"


def test_makes_a_service(tmp_path: Path) -> None:
    """Nothing is opened before it starts."""
    options = Options()
    options.parseOptions(["--http", "127.0.0.1:0", "--data", str(tmp_path / "data")])
    assert IService.providedBy(makeService(options))
    assert not (tmp_path / "data").exists()


@pytest_twisted.ensureDeferred
async def test_composes_what_the_configuration_says(reactor: Any, tmp_path: Path) -> None:
    """Limits, names and upstream are those of the Config."""
    flags = {
        "upstream": "http://127.0.0.1:9",
        "public_url": "https://hub.example",
        "trusted_proxies": "192.0.2.0/24",
        "idle_timeout": "9",
        "retries": "0",
        "data": str(tmp_path),
    }
    config = load(flags, {}).config
    quota = DailyQuota(0, MemoryLedger(), lambda: 0.0)
    composed = compose(reactor, config, quota, store(reactor, config))
    assert composed.limits.idle_timeout == 9
    assert composed.frontage.public_url == "https://hub.example"
    assert [str(network) for network in composed.frontage.trusted_proxies] == ["192.0.2.0/24"]
    names = composed.resource.listNames()  # type: ignore[attr-defined]
    assert sorted(names) == [b"", b"metrics", b"quota", b"token", b"v2"]
    with pytest.raises(UpstreamFailure, match=r"127\.0\.0\.1"):
        await composed.probe()
    await composed.close()
