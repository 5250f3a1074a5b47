"""Overload, seen by how late the reactor comes to what waits, and a share of requests refused.

As CoDel (RFC 8289) it goes by the least delay of a while: a burst that is soon worked off is no
overload, a queue that stays is. Refused is a share of the requests, which rises for as long as
that goes on and falls behind it: the rest is answered, and nobody is cut off who was let in.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from hubmirror.errors import Unavailable
from hubmirror.registry.message import Message
from hubmirror.registry.responses import COMMON_HEADERS, error_body, reason

__all__ = ["INTERVAL", "TARGET", "TICK", "Shedding", "overloaded_response"]

#: Between two looks at how late the reactor is, in seconds.
TICK: Final = 0.1
#: So late it may always be, in seconds: a tenth of that is much while blobs are fetched and sent.
TARGET: Final = 0.25
#: For so long it must never have been less late, in seconds.
INTERVAL: Final = 0.5
#: So late it is only where somebody has set the clock, in seconds: that tells nothing.
CLOCK_WAS_SET: Final = 30.0
#: By how much the share that is refused rises and falls after each interval.
RISE: Final = 0.25
FALL: Final = 0.125
#: When none was refused for so long, in seconds, the overload is over.
QUIET: Final = 10.0
#: What those are told who are refused.
OVERLOADED: Final = "the mirror has more to do than it can: try again in a moment"
#: What is always answered: by whom a supervisor, a balancer or an operator finds out what is wrong.
EXEMPT: Final = frozenset({b"/healthz", b"/readyz", b"/metrics"})


class Shedding:
    """How much is refused now. ``refused`` is how many requests were, since the start.

    ``clock`` is the reactor of which it is measured how late it is.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._ticking: IDelayedCall | None = None
        self._due = 0.0
        self._since = 0.0
        self._delays: list[float] = []
        self._share = 0.0
        self._carried = 0.0
        self._begun: float | None = None
        self._calm_since = 0.0
        self._before = 0
        self.refused = 0

    @property
    def share(self) -> float:
        """Which part of the requests is refused, from 0 to 1."""
        return self._share

    def start(self) -> None:
        """Measure from now on."""
        if self._ticking is None:
            self._since = self._clock.seconds()
            self._delays.clear()
            self._next()

    def stop(self) -> None:
        """Measure no more, and refuse nothing."""
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        self._share = self._carried = 0.0
        self._begun = None

    def refuses(self, target: bytes) -> bool:
        """Whether the request for ``target`` that has come is to be refused: if so, it counts."""
        if not self._share or target.partition(b"?")[0] in EXEMPT:
            return False
        self._carried += self._share
        if self._carried < 1.0:
            return False
        self._carried -= 1.0
        self.refused += 1
        return True

    def _next(self) -> None:
        self._due = self._clock.seconds() + TICK
        self._ticking = self._clock.callLater(TICK, self._tick)

    def _tick(self) -> None:
        now = self._clock.seconds()
        delay = now - self._due
        if -TICK <= delay < CLOCK_WAS_SET:
            self._delays.append(delay)
        else:
            self._since = now
            self._delays.clear()
        # One delay alone may have been a moment's: the process was stopped, a disk was.
        if len(self._delays) > 1 and now - self._since >= INTERVAL:
            self._judge(min(self._delays), now)
            self._since = now
            self._delays.clear()
        self._next()

    def _judge(self, delay: float, now: float) -> None:
        """In the interval that ends, no request waited less than ``delay``."""
        if delay > TARGET:
            self._share = min(1.0, self._share + RISE)
            self._calm_since = now
            self._begin(delay, now)
        else:
            self._share = max(0.0, self._share - FALL)
            self._end(now)

    def _begin(self, delay: float, now: float) -> None:
        if self._begun is None:
            self._begun, self._before = now, self.refused
            self._log.warn(
                "overload: what is asked waits for {delay:.2f} s; new requests are refused (503)",
                delay=delay,
            )

    def _end(self, now: float) -> None:
        if self._share:
            self._calm_since = now
        if self._begun is not None and now - self._calm_since >= QUIET:
            self._log.warn(
                "the overload is over: {count} requests were refused in {seconds:.0f} s",
                count=self.refused - self._before,
                seconds=self._calm_since - self._begun,
            )
            self._begun = None


def overloaded_response(message: Message, *, is_last: bool) -> tuple[bytes, int]:
    """A whole response that refuses ``message``, and how much of that is its body.

    ``is_last``: the connection ends behind it. Else it is kept: a new one would cost more than
    what is refused.
    """
    error = Unavailable(OVERLOADED, headers={"Retry-After": "1"})
    body = error_body(error)
    fields = [
        *COMMON_HEADERS,
        *error.headers.items(),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        *([("Connection", "close")] if is_last else []),
    ]
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    status = f"{message.version.decode('latin-1')} {error.status} {reason(error.status)}\r\n"
    sent = b"" if message.method == b"HEAD" else body
    return f"{status}{lines}\r\n".encode("latin-1") + sent, len(sent)
