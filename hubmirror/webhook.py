"""Telling somebody else's server what an operator should know: a POST of JSON for each event."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from hubmirror.errors import UpstreamFailure, UpstreamRefused
from hubmirror.upstream.agent import make_agent, make_pool
from hubmirror.upstream.breaker import Breaker
from hubmirror.upstream.client import Reply, TimeLimits, UpstreamClient, http_client
from hubmirror.upstream.egress import Egress
from hubmirror.upstream.guard import AddressGuard
from hubmirror.upstream.pacing import Pacing
from hubmirror.upstream.resolver import GuardedResolver
from hubmirror.upstream.url import origin_of

__all__ = ["Webhook", "open_webhook", "webhook_client"]

#: How long one try may take, in seconds.
TIME_LIMIT: Final = 10.0
#: The waits before a second and a third try, in seconds.
PAUSES: Final = (1.0, 5.0)
#: So many events at most are on their way; what comes then is logged, and not told.
MOST: Final = 16

_HEADERS: Final = (("Content-Type", "application/json"), ("User-Agent", "hubmirror"))


class Webhook:
    """Tells events to ``url``, which ``checked_url`` has passed and which may be a secret.

    What fails is tried again, unless the answer is one that would not change: an event may so be
    told twice. No redirect is followed. Whatever happens is logged, without the URL but for its
    host, and never raised. ``close_connections`` is called at the end.
    """

    _log = Logger()

    def __init__(
        self,
        client: UpstreamClient,
        url: str,
        clock: IReactorTime,
        close_connections: Callable[[], Deferred[Any]],
    ) -> None:
        self._client = client
        self._url = url
        self._clock = clock
        self._close_connections = close_connections
        self._running: set[Deferred[None]] = set()

    def tell(self, event: Mapping[str, object]) -> None:
        """Begin to tell ``event``, and return at once."""
        if len(self._running) >= MOST:
            self._not_told("too many events are on their way")
            return
        telling = Deferred.fromCoroutine(self._tell(event))
        self._running.add(telling)
        telling.addBoth(lambda _: self._running.discard(telling))

    async def close(self) -> None:
        """Give up what is on its way, and close connections."""
        for telling in list(self._running):
            telling.cancel()
        await self._close_connections()

    async def _tell(self, event: Mapping[str, object]) -> None:
        try:
            await self._persist(json.dumps(event).encode())
        except CancelledError:
            self._not_told("the mirror closes it")
        except UpstreamFailure as error:
            self._not_told(error.message)
        except Exception:
            self._log.failure("the webhook failed")

    async def _persist(self, body: bytes) -> None:
        """Raises ``UpstreamFailure`` when all tries are spent, or when no other could help."""
        for pause in PAUSES:
            try:
                reply = await self._post(body)
            except UpstreamRefused:
                raise
            except UpstreamFailure as error:
                self._log.debug("{why}; trying again", why=error.message)
            else:
                if _is_final(reply.status):
                    return self._check(reply)
            await deferLater(self._clock, pause)
        return self._check(await self._post(body))

    async def _post(self, body: bytes) -> Reply:
        reply = await self._client.request("POST", self._url, _HEADERS, body)
        reply.body.discard()
        return reply

    def _check(self, reply: Reply) -> None:
        if not 200 <= reply.status < 300:
            raise UpstreamFailure(f"it answered {reply.status}")

    def _not_told(self, why: str) -> None:
        host = origin_of(self._url).host
        self._log.warn(
            "an event could not be told to the webhook at {host}: {why}", host=host, why=why
        )


def open_webhook(
    reactor: Any, url: str, *, egress: Egress | None = None, upstream_ca: Path | None = None
) -> Webhook:
    """A webhook with connections of its own, through ``egress`` as what goes upstream.

    Its host may be anywhere, also at a private address, and nothing else is connected to. Raises
    ``ValueError`` where ``upstream_ca`` can't be read.
    """
    host = origin_of(url).host
    guard = AddressGuard(own_hosts=[host])
    pool = make_pool(reactor)
    agent = make_agent(
        reactor,
        pool,
        guard=guard,
        resolver=GuardedResolver(reactor, guard, timeout=TIME_LIMIT),
        egress=egress,
        upstream_ca=upstream_ca,
        connect_timeout=TIME_LIMIT,
    )
    client = webhook_client(http_client(agent), reactor)
    return Webhook(client, url, reactor, pool.closeCachedConnections)


def webhook_client(http: HTTPClient, clock: IReactorTime) -> UpstreamClient:
    """A client with the time limit of a webhook.

    Its breaker never keeps a try back: there are few, and each has its pause.
    """
    limits = TimeLimits(response=TIME_LIMIT, stall=TIME_LIMIT)
    breaker = Breaker(clock, first=0.0, longest=0.0)
    return UpstreamClient(http, clock, limits, Pacing(clock), retries=0, breaker=breaker)


def _is_final(status: int) -> bool:
    """Whether another try would be answered in the same way."""
    return status < 500 and status not in (408, 429)
