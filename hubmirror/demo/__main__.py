"""``python -m hubmirror.demo``: a Hub as a process of its own, until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.web.client import Agent, HTTPConnectionPool

from hubmirror.demo.arguments import accounts, parse
from hubmirror.demo.backed import BackedStore
from hubmirror.demo.hub import Hub, HubSettings
from hubmirror.demo.image import hello_image
from hubmirror.demo.store import IStore, MemoryStore
from hubmirror.demo.tls import ChainFiles


def _run(reactor: Any, options: argparse.Namespace) -> Deferred[None]:
    return Deferred.fromCoroutine(_serve(reactor, options))


async def _serve(reactor: Any, options: argparse.Namespace) -> None:
    settings = HubSettings(
        name=options.name,
        registry_port=options.port,
        sign_for_get_only=options.sign_for_get_only,
        pull_limit=options.pull_limit,
        is_pull_limit_enforced=options.enforce_pull_limit,
    )
    context_factory = None
    if options.certificate is not None:
        context_factory = ChainFiles.read(options.certificate, options.private_key)
    hub = Hub(
        reactor,
        _store(reactor, options.registry_backend),
        accounts(options.user, options.private),
        settings,
        context_factory,
    )
    await hub.start()
    hub.faults.blobs.bytes_per_second = options.bytes_per_second
    for faults in hub.faults.all:
        faults.answer_always, faults.delay = options.answer_always, options.delay
    print(f"hub listening on {hub.registry_url}", flush=True)
    await Deferred()  # until a signal stops the reactor


def _store(reactor: Any, backend: str | None) -> IStore:
    """What the Hub serves: the registry behind it, or the demo's own image."""
    if backend is not None:
        pool = HTTPConnectionPool(reactor)
        return BackedStore(HTTPClient(Agent(reactor, pool=pool)), backend.rstrip("/"))
    store = MemoryStore()
    store.add_image("library/hello", "latest", hello_image())
    return store


if __name__ == "__main__":
    react(_run, [parse(sys.argv[1:])])
