"""``GET /quota/stream``: ``/quota`` as it changes, as server-sent events.

Source: the HTML standard, section 9.2, "Server-sent events".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from hubmirror.errors import RegistryError
from hubmirror.monitor.access import Access, View
from hubmirror.monitor.guarded import Guarded
from hubmirror.monitor.report import Reporter

__all__ = ["MOST", "StreamResource", "StreamsTaken"]

#: How many may watch at a time.
MOST: Final = 100
#: How often what has changed is told, and how long nothing is said, in seconds.
PERIOD: Final = 1.0
SILENCE: Final = 15.0
#: How soon a browser comes back whose stream has ended, in milliseconds.
_RETRY: Final = b"retry: 3000\n"
_HEARTBEAT: Final = b":\n\n"


class StreamsTaken(RegistryError):
    """``MOST`` are watching, or the daemon is ending."""

    status = 503
    code = "UNAVAILABLE"
    default_message = f"{MOST} are watching already"


class StreamResource(Guarded):
    """All streams, and the one clock that they share, which runs while there are any.

    What is told is made once a period for each view, however many watch. A client that takes no
    bytes is left out until it does, and is told how things are then: nothing is kept for it.
    """

    _log = Logger()

    def __init__(self, access: Access, reporter: Reporter, clock: IReactorTime) -> None:
        super().__init__(access)
        self._reporter = reporter
        self._clock = clock
        self._streams: set[_Stream] = set()
        self._made: dict[View, bytes] = {}
        self._loop = LoopingCall(self._tell)
        self._loop.clock = clock
        self._is_closed = False

    def show(self, request: Request, view: View) -> int:
        """Begin a stream; the first event leaves at once."""
        if self._is_closed or len(self._streams) >= MOST:
            message = "the daemon is ending" if self._is_closed else None
            raise StreamsTaken(message, headers={"Retry-After": "5"})
        request.setHeader("Content-Type", "text/event-stream")
        request.setHeader("X-Accel-Buffering", "no")  # nginx would keep events back
        if request.method == b"HEAD":
            request.finish()
        else:
            self._begin(request, view, self._event(view))
        return NOT_DONE_YET

    def close(self) -> None:
        """End all streams, and begin no other."""
        self._is_closed = True
        self._end_all()

    def _begin(self, request: Request, view: View, event: bytes) -> None:
        stream = _Stream(request, view, self._gone)
        self._streams.add(stream)
        request.notifyFinish().addErrback(lambda _: stream.stopProducing())
        request.registerProducer(stream, True)
        stream.begin(event, self._clock.seconds())
        if self._streams and not self._loop.running:
            self._loop.start(PERIOD, now=False).addErrback(self._failed)

    def _gone(self, stream: _Stream) -> None:
        self._streams.discard(stream)
        if not self._streams and self._loop.running:
            self._loop.stop()

    def _tell(self) -> None:
        self._made.clear()
        now = self._clock.seconds()
        for stream in list(self._streams):
            if not stream.is_paused:
                stream.offer(self._event(stream.view), now)

    def _event(self, view: View) -> bytes:
        """What was told last; made anew where nothing was since the clock struck."""
        if view not in self._made or not self._loop.running:
            data = json.dumps(self._reporter.now(names=view is View.ALL)).encode()
            self._made[view] = b"event: quota\ndata: %b\n\n" % data
        return self._made[view]

    def _end_all(self) -> None:
        for stream in list(self._streams):
            stream.end()

    def _failed(self, failure: Failure) -> None:
        """A defect: better no stream than one that stands still."""
        self._log.failure("the quota's stream failed", failure=failure)
        self._end_all()


@implementer(IPushProducer)
class _Stream:
    """One client's."""

    def __init__(self, request: Request, view: View, gone: Callable[[_Stream], object]) -> None:
        self.view = view
        self.is_paused = False
        self._request = request
        self._gone = gone
        self._last = b""
        self._spoke = 0.0

    def begin(self, event: bytes, now: float) -> None:
        """The first event."""
        self._last = event
        self._write(_RETRY + event, now)

    def offer(self, event: bytes, now: float) -> None:
        """Tell ``event`` unless that was the last thing told; break a long silence."""
        if event != self._last:
            self._last = event
            self._write(event, now)
        elif now - self._spoke >= SILENCE:
            self._write(_HEARTBEAT, now)

    def end(self) -> None:
        """The mirror ends it."""
        self._gone(self)
        self._request.unregisterProducer()
        self._request.finish()

    def pauseProducing(self) -> None:
        """The client has not taken what was sent (``IPushProducer``)."""
        self.is_paused = True

    def resumeProducing(self) -> None:
        """It has now (``IPushProducer``)."""
        self.is_paused = False

    def stopProducing(self) -> None:
        """It has gone (``IProducer``)."""
        self._gone(self)

    def _write(self, data: bytes, now: float) -> None:
        self._spoke = now
        self._request.write(data)
