"""A listening socket whose connections speak TLS."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.tcp import Port

from hubmirror.transport.tls import Secure, TLSServer

__all__ = ["TLSPort"]


class TLSPort(Port):
    """As ``reactor.listenTCP``'s port, after ``startListening``; ``secure`` begins each TLS."""

    _type = "TLS"

    def __init__(
        self,
        port: int,
        factory: IProtocolFactory,
        secure: Secure,
        reactor: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> None:
        super().__init__(port, factory, backlog, interface, reactor)
        self.transport = partial(TLSServer, secure=secure)  # type: ignore[assignment]
