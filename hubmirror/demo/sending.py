"""How a body leaves the Hub: piece by piece, no faster than the client reads, with its faults."""

from __future__ import annotations

from attrs import define
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import deferLater
from twisted.web.server import Request
from zope.interface import implementer

from hubmirror.demo.content import Blob, IBlob
from hubmirror.demo.host import Host, set_fields

__all__ = ["send", "send_content"]

_PIECE = 256 * 1024
_PIECES_PER_SECOND = 20


async def send(request: Request, host: Host, blob: IBlob, start: int, stop: int) -> None:
    """Write the bytes from ``start`` up to ``stop`` of ``blob``, with their length before them.

    The host's faults may cut or stall the body: then this goes on until the client is gone.
    """
    faults = host.faults
    if not faults.chunked:
        set_fields(request, [("Content-Length", str(stop - start))])
    if request.method == b"HEAD":
        return
    marks = [mark for mark in (faults.cut_after, faults.stall_after) if mark is not None]
    end = min([stop, *(start + mark for mark in marks)])
    await _write(request, host, blob, start, end)
    if end == stop:
        return
    if faults.cut_after == end - start:
        request.loseConnection()
    await Deferred()  # until the client goes away, which cancels it


async def send_content(request: Request, host: Host, media_type: str, content: bytes) -> None:
    """Write a whole document, with the same faults as a blob."""
    set_fields(request, [("Content-Type", media_type)])
    await send(request, host, Blob.of(content), 0, len(content))


async def _write(request: Request, host: Host, blob: IBlob, start: int, stop: int) -> None:
    gate = _Gate()
    request.write(b"")  # the headers, before the first piece is read
    request.registerProducer(gate, True)
    try:
        pace = _Pace(host)
        while start < stop:
            await gate.opened()
            piece = await blob.read(start, min(pace.piece_size, stop - start))
            request.write(piece)
            start += len(piece)
            host.bytes_sent += len(piece)
            await pace.after(len(piece))
    finally:
        if request.channel is not None:  # it is None once the client is gone
            request.unregisterProducer()


class _Pace:
    """Holds one body to the host's bytes a second."""

    def __init__(self, host: Host) -> None:
        self._clock = host.clock
        self._rate = host.faults.bytes_per_second
        self._sent = 0
        self._began = host.clock.seconds()
        self.piece_size = _PIECE
        if self._rate is not None:
            self.piece_size = max(1, min(_PIECE, int(self._rate / _PIECES_PER_SECOND)))

    def after(self, length: int) -> Deferred[None]:
        """Fires when the piece after these ``length`` bytes may go."""
        self._sent += length
        if self._rate is None:
            return succeed(None)
        due = self._began + self._sent / self._rate - self._clock.seconds()
        return deferLater(self._clock, max(0, due))


@implementer(IPushProducer)
@define(eq=False)
class _Gate:
    """Shut while the connection wants no more."""

    _is_shut: bool = False
    _waiting: Deferred[None] | None = None

    def opened(self) -> Deferred[None]:
        """Fires when more may be written."""
        if not self._is_shut:
            return succeed(None)
        self._waiting = Deferred()
        return self._waiting

    def pauseProducing(self) -> None:
        self._is_shut = True

    def resumeProducing(self) -> None:
        self._is_shut = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """The client is gone: ``HostResource`` hears of it and cancels the sending."""
