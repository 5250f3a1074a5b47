"""The composition: a configuration becomes the parts that it decides about."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.application.service import IService, IServiceMaker
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import deferLater
from twisted.plugin import getPlugins

from hubmirror.config import load
from hubmirror.errors import UpstreamFailure
from hubmirror.monitor.metrics import Vitals
from hubmirror.quota.books import MemoryBooks
from hubmirror.quota.history import MemoryHistory
from hubmirror.quota.ledger import MemoryLedger
from hubmirror.quota.quota import Quota
from hubmirror.quota.rules import Rules
from hubmirror.registry.site import MirrorSite
from hubmirror.tap import Options, compose, makeService, store
from tests.registry.edge import Wire, hang_up

WATCHED = [b"healthz", b"metrics", b"openapi.json", b"quota", b"readyz"]


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
    quota = Quota(Rules(), MemoryLedger(), MemoryHistory(), MemoryBooks(), lambda: 0.0)
    composed = compose(reactor, config, quota, store(reactor, config), Vitals())
    served = composed.served
    assert served.limits.idle_timeout == 9
    assert served.frontage.public_url == "https://hub.example"
    assert [str(network) for network in served.frontage.trusted_proxies] == ["192.0.2.0/24"]
    names = served.resource.listNames()  # type: ignore[attr-defined]
    api = [b".well-known", b"image", b"token", b"v1", b"v2"]
    assert sorted(names) == sorted([b"", *api, *WATCHED])
    with pytest.raises(UpstreamFailure, match=r"127\.0\.0\.1"):
        await composed.probe()
    await composed.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(("pattern", "is_reached"), [("127.0.0.1:*", False), ("", True)])
async def test_a_registry_that_a_client_chose_is_guarded(
    reactor: Any, tmp_path: Path, pattern: str, is_reached: bool
) -> None:
    """It may not be at an address that the operator has not named, such as this machine's."""
    reached: list[object] = []
    accepting = ServerFactory.forProtocol(Protocol)
    accepting.buildProtocol = reached.append  # type: ignore[assignment]
    port = reactor.listenTCP(0, accepting, interface="127.0.0.1")
    name = f"127.0.0.1:{port.getHost().port}"
    flags = {"data": str(tmp_path), "retries": "0", "allow_upstreams": pattern or name}
    config = load(flags, {}).config
    storage = store(reactor, config)
    await storage.open()
    quota = Quota(Rules(), MemoryLedger(), MemoryHistory(), MemoryBooks(), lambda: 0.0)
    composed = compose(reactor, config, quota, storage, Vitals())
    wire = Wire("192.0.2.1")
    served = composed.served
    site = MirrorSite(served.resource, reactor, limits=served.limits, frontage=served.frontage)
    channel: Any = site.buildProtocol(wire.getPeer())
    channel.makeConnection(wire)
    try:
        channel.dataReceived(
            b"GET /v2/a/tags/list?ns=%b HTTP/1.1\r\nHost: a\r\n\r\n" % name.encode()
        )
        for _ in range(1000):
            if not wire.value():
                await deferLater(reactor, 0.01)
    finally:
        hang_up(channel)
        await composed.close()
        await storage.close()
        await port.stopListening()
    assert wire.status() == 502
    assert ("set allow_private" in wire.error()["message"]) is not is_reached
    assert bool(reached) is is_reached


@pytest_twisted.ensureDeferred
async def test_a_listener_of_its_own_takes_what_is_watched(reactor: Any, tmp_path: Path) -> None:
    """Where clients pull only health and the set-up stay."""
    flags = {
        "upstream": "http://127.0.0.1:9",
        "retries": "0",
        "monitor": "127.0.0.1:0",
        "data": str(tmp_path),
    }
    config = load(flags, {}).config
    quota = Quota(Rules(), MemoryLedger(), MemoryHistory(), MemoryBooks(), lambda: 0.0)
    composed = compose(reactor, config, quota, store(reactor, config), Vitals())
    clients: Any = composed.served.resource
    watchers: Any = composed.served.monitor
    assert sorted(clients.listNames()) == [
        b"",
        b".well-known",
        b"healthz",
        b"image",
        b"readyz",
        b"token",
        b"v1",
        b"v2",
    ]
    assert sorted(watchers.listNames()) == [b"", *WATCHED]
    await composed.close()
