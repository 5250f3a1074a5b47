"""What two ends say to each other on a new connection before the protocol proper has it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

__all__ = ["Prelude"]


class Prelude(Protocol):
    """Speaks first, then is a pipe for the protocol that ``factory`` builds.

    A subclass reads ``preludeReceived`` and ends with ``hand_over`` or ``give_up``; ``ready``
    then fires with the protocol, or fails. Cancelling ``ready`` ends the connection at once.
    """

    transport: Any  # TCP, or TLS over it: what has abortConnection

    def __init__(self, factory: IProtocolFactory) -> None:
        self.ready: Deferred[IProtocol] = Deferred(lambda _: self._abort())
        self._factory = factory
        self._successor: IProtocol | None = None

    def preludeReceived(self, data: bytes) -> None:
        """Bytes that came before ``hand_over``."""
        raise NotImplementedError

    def preludeLost(self, reason: Failure) -> Failure:
        """What ``ready`` is to fail with when the connection ends before ``hand_over``."""
        return reason

    def hand_over(self, rest: bytes = b"") -> None:
        """The prelude is over; ``rest`` is what already came for the protocol proper."""
        if self.ready.called or self.transport is None:
            return
        successor = self._factory.buildProtocol(self.transport.getPeer())
        if successor is None:
            self.give_up(Failure(NoProtocol()))
            return
        self._successor = successor
        successor.makeConnection(self.transport)
        self.ready.callback(successor)
        if rest:
            successor.dataReceived(rest)

    def give_up(self, reason: Failure) -> None:
        """End the connection; ``ready`` fails with ``reason``."""
        if not self.ready.called:
            self._abort()
            self.ready.errback(reason)

    def dataReceived(self, data: bytes) -> None:
        """See ``IProtocol``."""
        if self._successor is not None:
            self._successor.dataReceived(data)
        elif not self.ready.called:
            self.preludeReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See ``IProtocol``."""
        if self._successor is not None:
            self._successor.connectionLost(reason)
        elif not self.ready.called:
            self.ready.errback(self.preludeLost(reason))

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()
