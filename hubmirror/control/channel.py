"""HTTP over a unix socket, on which a client may send open files along (``SCM_RIGHTS``).

So the daemon reads and writes files by the rights of whoever runs the command, and wherever the
daemon's own view of the disk ends.
"""

from __future__ import annotations

import os
from typing import Any, Final

from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.server import Site
from zope.interface import implementer

__all__ = ["ControlChannel", "ControlSite"]

#: The longest body of a request, in bytes: its arguments.
MAX_BODY: Final = 1 << 20
_MOST_FILES: Final = 4


@implementer(IFileDescriptorReceiver)
class ControlChannel(HTTPChannel):
    """One connection; ``files`` came on it and are closed with it."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = self.factory = site
        self.requestFactory = site.requestFactory
        self.timeOut = None  # who verifies a large store may wait for long
        self.files: list[int] = []

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """A file that the client has opened; it came before the request (``IFile…``)."""
        if len(self.files) < _MOST_FILES:
            self.files.append(descriptor)
        else:
            os.close(descriptor)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        files, self.files = self.files, []
        for descriptor in files:
            os.close(descriptor)


class ControlSite(Site):
    """The listening side."""

    noisy = False

    def startFactory(self) -> None:
        """Nothing: there is no access log here."""

    def stopFactory(self) -> None:
        """Nothing: see ``startFactory``."""

    def buildProtocol(self, addr: object) -> Any:  # noqa: ARG002 - a unix socket's tells nothing
        """A ``ControlChannel``; the base would wrap its own, for HTTP/2."""
        return ControlChannel(self)
