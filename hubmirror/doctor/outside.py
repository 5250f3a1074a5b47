"""The way to upstreams as the daemon goes it: guarded, verified, proxied; but never twice."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from hubmirror.config import Config
from hubmirror.errors import HubmirrorError
from hubmirror.upstream.agent import make_agent, make_pool
from hubmirror.upstream.client import TimeLimits, UpstreamClient, http_client
from hubmirror.upstream.egress import Credentials, Egress
from hubmirror.upstream.guard import AddressGuard
from hubmirror.upstream.pacing import Pacing
from hubmirror.upstream.resolver import GuardedResolver

__all__ = ["Outside", "egress_of", "open_outside", "outside_of"]


@frozen
class Outside:
    """What checks of the network need. ``now`` is the wall clock, in seconds since the epoch."""

    clock: IReactorTime
    now: Callable[[], float]
    client: UpstreamClient
    resolver: GuardedResolver


def open_outside(
    reactor: Any,
    now: Callable[[], float],
    seconds: float,
    *,
    own_hosts: Collection[str],
    allow_private: Collection[str] = (),
    egress: Egress | None = None,
    ca: Path | None = None,
) -> Outside:
    """Each request has ``seconds``, and one try. Raises ``HubmirrorError`` for a bad ``ca``."""
    guard = AddressGuard(allow_private, own_hosts)
    resolver = GuardedResolver(reactor, guard, timeout=seconds)
    try:
        agent = make_agent(
            reactor,
            make_pool(reactor),
            guard=guard,
            resolver=resolver,
            egress=egress,
            upstream_ca=ca,
            connect_timeout=seconds,
        )
    except ValueError as error:
        raise HubmirrorError(str(error)) from None
    limits = TimeLimits(response=seconds, stall=seconds)
    client = UpstreamClient(http_client(agent), reactor, limits, Pacing(reactor), retries=0)
    return Outside(reactor, now, client, resolver)


def outside_of(reactor: Any, now: Callable[[], float], config: Config, seconds: float) -> Outside:
    """The way to the ``upstream`` of ``config``. Raises as ``open_outside``."""
    return open_outside(
        reactor,
        now,
        seconds,
        own_hosts=[urlsplit(config.upstream).hostname or ""],
        allow_private=config.allow_private,
        egress=egress_of(config),
        ca=config.upstream_ca,
    )


def egress_of(config: Config) -> Egress | None:
    """The proxy that ``config`` has, or none."""
    if config.egress_proxy is None:
        return None
    login = config.egress_login
    return Egress.parse(
        config.egress_proxy,
        credentials=None if login is None else Credentials(*login),
        no_proxy=",".join(config.no_proxy),
    )
