"""The other end of ``relay``: requests that other processes of this mirror have taken."""

from __future__ import annotations

from typing import Any, Final, cast
from urllib.parse import unquote

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.web.resource import IResource
from twisted.web.server import Request

from hubmirror.errors import BadRequest
from hubmirror.registry.callers import Caller
from hubmirror.registry.channel import LARGEST_SEND, Limits, MirrorChannel
from hubmirror.registry.message import Message
from hubmirror.registry.relay import CALLER
from hubmirror.registry.site import Frontage, MirrorSite
from hubmirror.transport.kernel import KernelSocket

__all__ = ["RelayedChannel", "RelayedSite"]

#: What a worker may take: it has held its clients to theirs. Times are in seconds.
TRUSTING: Final = Limits(
    header_timeout=300.0,
    idle_timeout=86_400.0,
    send_timeout=86_400.0,
    max_connections=1 << 20,
    max_connections_per_client=1 << 20,
)


class RelayedSite(MirrorSite):
    """``resource`` is for the clients of those who connect, ``reports`` for themselves."""

    def __init__(
        self, resource: IResource, reports: IResource, reactor: IReactorTime, frontage: Frontage
    ) -> None:
        super().__init__(resource, reactor, limits=TRUSTING, frontage=frontage)
        self.reports = reports

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: ARG002 - it has none
        return RelayedChannel(self)

    def getResourceFor(self, request: Request) -> IResource:
        if cast(RelayedChannel, request.channel).is_report:
            return self.reports
        return super().getResourceFor(request)

    def log_request(self, fields: dict[str, object]) -> None:
        """As any, but that a report is no client's request."""
        if fields.get("client", "?"):  # a word on why an answer broke off has none
            super().log_request(fields)


class RelayedChannel(MirrorChannel):
    """A connection from a process that anybody's requests may come through, one at a time."""

    is_report = False

    def connectionMade(self) -> None:
        cast(Any, self.transport).SEND_LIMIT = LARGEST_SEND
        cast(Any, self.transport).registerProducer(self, True)
        self._caller = Caller("", "x", is_secure=False)
        self.site.connected(self)

    def peer_host(self) -> str:
        """Nobody's: whom this connection speaks for changes."""
        return ""

    def kernel_socket(self) -> KernelSocket | None:
        """None: what the kernel does for TCP it does not do here."""
        return None

    def _accept(self, message: Message) -> None:
        told = message.fields.pop(CALLER, None)
        self.is_report = told is None
        self.is_refusable = not self.is_report
        self._caller = Caller("", "x", is_secure=False) if told is None else _read(told[0])
        super()._accept(message)


def _read(told: bytes) -> Caller:
    peer, local, scheme, *users = told.decode("latin-1").split(" ")
    if scheme not in ("http", "https") or len(users) > 1:
        raise BadRequest
    user = unquote(users[0]) if users else None
    return Caller(peer, local, is_secure=scheme == "https", find_user=lambda: user)
