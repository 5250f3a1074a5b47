"""TLS sessions that may be taken up again: a new connection then needs no certificate anew.

Source: RFC 8446, sections 2.2, 4.6.1 and C.4; RFC 5077.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import frozen
from OpenSSL import SSL
from OpenSSL.crypto import X509

__all__ = ["Place", "Sessions", "TakenUp"]

#: A host as it is written in the URL, and its port.
Place = tuple[str, int]

#: How many places are remembered, and how many sessions of each: one for each connection that a
#: blob is fetched over.
PLACES: Final = 64
EACH: Final = 4
#: How long a certificate that was verified is good for sessions, in seconds, whatever the server
#: allows; who takes one up gets another, but no longer life.
LIFE: Final = 3600.0


@frozen
class TakenUp:
    """A session, and until when it and those that come of it may be taken up."""

    session: SSL.Session
    certificate: X509
    until: float


class Sessions:
    """Sessions by place, for one set of trusted authorities and one way out.

    A session leaves when it is taken: no ticket is shown twice, and one that a server chokes on
    is not tried again. ``seconds`` tells the time.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._kept: dict[Place, deque[TakenUp]] = {}

    def keep(self, place: Place, connection: SSL.Connection, former: TakenUp | None) -> None:
        """Remember the session of a connection to ``place`` whose certificate is right.

        ``former`` is what the connection began with: then it may not have been verified anew. In
        TLS 1.3 there is nothing to take up before the server's first bytes have come.
        """
        session, certificate = connection.get_session(), connection.get_peer_certificate()
        if session is None or certificate is None:
            return
        until = self._seconds() + LIFE if former is None else former.until
        sessions = self._kept.pop(place, None) or deque(maxlen=EACH)
        self._kept[place] = sessions  # as the newest
        sessions.append(TakenUp(session, certificate, until))
        if len(self._kept) > PLACES:
            del self._kept[next(iter(self._kept))]

    def take(self, place: Place) -> TakenUp | None:
        """The newest session of ``place``, unless its time or its certificate's is over."""
        sessions = self._kept.get(place)
        while sessions:
            newest = sessions.pop()
            if self._seconds() < newest.until and not newest.certificate.has_expired():
                return newest
        return None
