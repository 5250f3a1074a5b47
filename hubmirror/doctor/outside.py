"""The way to upstreams as the daemon goes it: guarded, verified, proxied; but never twice."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from hubmirror.config import Config
from hubmirror.connecting import egress_of, open_way_out
from hubmirror.upstream.client import TimeLimits, UpstreamClient, http_client
from hubmirror.upstream.egress import Egress
from hubmirror.upstream.pacing import Pacing
from hubmirror.upstream.resolver import GuardedResolver

__all__ = ["Outside", "open_outside", "outside_of"]


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
    out = open_way_out(
        reactor,
        own_hosts=own_hosts,
        allow_private=allow_private,
        egress=egress,
        ca=ca,
        connect_timeout=seconds,
    )
    limits = TimeLimits(response=seconds, stall=seconds)
    client = UpstreamClient(http_client(out.agent), reactor, limits, Pacing(reactor), retries=0)
    return Outside(reactor, now, client, out.resolver)


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
