"""An upstream that says "not so fast" is left alone for as long as it asks."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from hubmirror.errors import UpstreamFailure
from hubmirror.question import Headers
from hubmirror.upstream.headers import field
from hubmirror.upstream.url import Origin, origin_of

__all__ = ["Pacing", "UpstreamPaused"]

#: How long an origin is left alone that names no time, and at most, in seconds.
_DEFAULT_PAUSE = 5.0
_LONGEST_PAUSE = 300.0

#: A request waits this long at most, in seconds. Clients take a 429 from a mirror as a reason to
#: go to the Hub themselves, so a pause that they would not notice is better sat out; holding
#: them longer would pile up requests, which then all leave at once.
_PATIENCE = 2.0

#: An answer that has one of these is about the pull limit: it concerns manifests only, and only
#: the account or address that it names.
_PULL_LIMIT_FIELDS = ("ratelimit-limit", "ratelimit-remaining", "docker-ratelimit-source")


class UpstreamPaused(UpstreamFailure):
    """The upstream asked for a pause that is not over: 429, with ``Retry-After``."""

    status = 429
    code = "TOOMANYREQUESTS"
    default_message = "the upstream asked for a pause"


class Pacing:
    """Which origins asked for a pause, and until when.

    Docker Hub limits all requests of an address, beside the pull limit: it answers 429 without
    the pull-limit fields. More requests in that time would only prolong it.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._until: dict[Origin, float] = {}

    async def admit(self, url: str) -> None:
        """Return when ``url`` may be asked: at once, or after a pause of two seconds at most.

        Raises ``UpstreamPaused`` when the pause is longer.
        """
        origin = origin_of(url)
        while (left := self._until.get(origin, 0.0) - self._clock.seconds()) > 0:
            if left > _PATIENCE:
                raise UpstreamPaused(
                    f"{origin.host} asked for a pause: it takes requests again in"
                    f" {math.ceil(left)} seconds",
                    headers={"Retry-After": str(math.ceil(left))},
                )
            await deferLater(self._clock, left)

    def learn(self, url: str, status: int, headers: Headers) -> None:
        """Take note of an answer to ``url``: a 429 of the abuse limit begins a pause."""
        if status != 429 or any(field(headers, name) is not None for name in _PULL_LIMIT_FIELDS):
            return
        now = self._clock.seconds()
        pause = min(_pause(field(headers, "Retry-After"), now), _LONGEST_PAUSE)
        self._until = {origin: until for origin, until in self._until.items() if until > now}
        origin = origin_of(url)
        self._until[origin] = max(now + pause, self._until.get(origin, 0.0))


def _pause(retry_after: str | None, now: float) -> float:
    """The seconds that a ``Retry-After`` asks for (RFC 9110, 10.2.3): a number or a date."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (TypeError, ValueError, IndexError, OverflowError):
        return _DEFAULT_PAUSE
