"""An upstream that is down is not waited for: its outage is known, and its end looked for.

All is by origin: registry, token server and blob hosts fail each by itself.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from types import TracebackType
from typing import Final

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from hubmirror.errors import UpstreamFailure, UpstreamRefused
from hubmirror.upstream.pacing import UpstreamPaused
from hubmirror.upstream.url import Origin, origin_of

__all__ = ["Breaker", "BreakerStatus", "BrokenAnswer", "UpstreamDown", "Watch"]

#: As many bad answers in a row, from different requests, are an outage.
_BAD_IN_A_ROW: Final = 3
#: Of so many origins at most are bad answers counted: redirects may lead anywhere.
_MOST_COUNTED: Final = 1000
#: 501 is an answer like another: the host is well, and lacks a method.
_BAD_STATUSES: Final = frozenset(range(500, 600)) - {501}
#: What is not asked for, for so long after a probe was due, is forgotten; in seconds.
_FORGOTTEN_AFTER: Final = 3600.0


class UpstreamDown(UpstreamFailure):
    """The upstream is known to be down and was not asked: 502, or 504 after a time-out.

    ``Retry-After`` tells when it is asked again.
    """

    default_message = "the upstream registry is down"

    def __init__(self, message: str, status: int, retry_after: int) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after)})
        self.status = status


class BrokenAnswer(UpstreamFailure):
    """An answer that began and broke off, or is no HTTP: the host is there, so a single one

    of these tells as little as a 5xx.
    """


@frozen
class BreakerStatus:
    """An outage, for display; times as the clock tells them (the reactor's: since the epoch)."""

    origin: Origin
    open_since: float
    next_probe: float


class Breaker:
    """Which origins are down, and when each may be asked again.

    The first time-out or failure to connect *opens* it for an origin, and so do three bad
    answers (5xx, or broken) in a row: requests fail at once then. When the pause is over the
    next request is let through as a probe, one at a time; each probe that fails doubles the
    pause, from ``first`` to ``longest`` seconds. Any other answer, also one to a request that
    was under way already, *closes* it. Nothing here acts by itself, so an idle mirror costs an
    upstream nothing: whoever wants to know sooner sends a request when ``next_probe`` is past.

    Requests that are under way when it opens wait for their own time limits: one slow answer
    must not end the others.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, *, first: float = 2.0, longest: float = 60.0) -> None:
        self._clock = clock
        self._first = first
        self._longest = longest
        self._outages: dict[Origin, _Outage] = {}
        self._bad: dict[Origin, int] = {}

    def watch(self, url: str) -> Watch:
        """Admit a request to ``url`` and learn from its end: ``with breaker.watch(url) as watch``.

        Raises ``UpstreamDown`` when the origin is down and no probe is due.
        """
        origin = origin_of(url)
        outage = self._outages.get(origin)
        if outage is not None:
            if not outage.may_probe(self._clock.seconds()):
                raise self._down(origin, outage)
            outage.is_probed = True
        return Watch(self, origin, outage)

    def is_open(self, url: str) -> bool:
        """Whether a request to ``url`` would fail at once. False when a probe is due: the request

        would be it.
        """
        outage = self._outages.get(origin_of(url))
        return outage is not None and not outage.may_probe(self._clock.seconds())

    def is_probe_due(self, url: str) -> bool:
        """Whether the next request to ``url`` would look whether its outage is over."""
        outage = self._outages.get(origin_of(url))
        return outage is not None and outage.may_probe(self._clock.seconds())

    def status(self) -> tuple[BreakerStatus, ...]:
        """The outages that are known, the oldest first."""
        return tuple(
            BreakerStatus(origin, outage.since, outage.next_probe)
            for origin, outage in self._outages.items()
        )

    # What a watch reports.

    def succeeded(self, origin: Origin) -> None:
        """``origin`` has answered."""
        self._bad.pop(origin, None)
        outage = self._outages.pop(origin, None)
        if outage is not None:
            seconds = round(self._clock.seconds() - outage.since)
            self._log.info("{host} answers again, after {n} s", host=origin.host, n=seconds)

    def failed(self, origin: Origin, probed: _Outage | None, cause: UpstreamFailure) -> None:
        """``origin`` gave no answer; ``probed`` is the outage that the request was a probe of."""
        now = self._clock.seconds()
        outage = self._outages.get(origin)
        if outage is None:
            self._open(origin, _Outage(now, self._first, now + self._first, cause))
        elif outage is probed:
            outage.pause = min(2 * outage.pause, self._longest)
            outage.next_probe = now + outage.pause
            outage.cause = cause

    def stumbled(self, origin: Origin, probed: _Outage | None, cause: UpstreamFailure) -> None:
        """``origin`` gave a bad answer."""
        if len(self._bad) >= _MOST_COUNTED:
            self._bad.clear()
        self._bad[origin] = self._bad.get(origin, 0) + 1
        if self._bad[origin] >= _BAD_IN_A_ROW or probed is not None:
            self.failed(origin, probed, cause)

    def _open(self, origin: Origin, outage: _Outage) -> None:
        dead = outage.since - _FORGOTTEN_AFTER
        self._outages = {
            known: other for known, other in self._outages.items() if other.next_probe > dead
        }
        self._outages[origin] = outage
        self._log.warn("{host} is down: {why}", host=origin.host, why=outage.cause.message)

    def _down(self, origin: Origin, outage: _Outage) -> UpstreamDown:
        left = max(1, math.ceil(outage.next_probe - self._clock.seconds()))
        since = datetime.fromtimestamp(outage.since, timezone.utc)
        return UpstreamDown(
            f"{origin.host} is down since {since:%Y-%m-%d %H:%M:%S} UTC ({outage.cause.message});"
            f" it is asked again in {left} s",
            outage.cause.status,
            left,
        )


@define(eq=False)
class Watch:
    """One request, from its admission to its answer's headers.

    What leaves the ``with`` block tells the breaker: an ``UpstreamFailure`` is a failure, apart
    from what the mirror itself refused or put off. A request that was cancelled tells nothing,
    but gives its turn as a probe back.
    """

    _breaker: Breaker
    _origin: Origin
    _probed: _Outage | None

    def answered(self, status: int) -> None:
        """The headers of an answer are there."""
        if status in _BAD_STATUSES:
            cause = UpstreamFailure(f"{self._origin.host} answered {status}")
            self._breaker.stumbled(self._origin, self._probed, cause)
        else:
            self._breaker.succeeded(self._origin)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, BrokenAnswer):
            self._breaker.stumbled(self._origin, self._probed, error)
        elif isinstance(error, UpstreamFailure) and not isinstance(
            error, (UpstreamRefused, UpstreamPaused)
        ):
            self._breaker.failed(self._origin, self._probed, error)
        if self._probed is not None:
            self._probed.is_probed = False


@define(eq=False)
class _Outage:
    since: float
    pause: float
    next_probe: float
    cause: UpstreamFailure = field(repr=False)
    is_probed: bool = False

    def may_probe(self, now: float) -> bool:
        return not self.is_probed and now >= self.next_probe
