"""``GET /quota``: the mirror as it stands, for people and programs."""

from __future__ import annotations

import json

from twisted.web.server import Request

from hubmirror.monitor.access import Access, View
from hubmirror.monitor.guarded import Guarded
from hubmirror.monitor.history import HistoryResource
from hubmirror.monitor.report import Reporter
from hubmirror.monitor.stream import StreamResource

__all__ = ["QuotaResource"]


class QuotaResource(Guarded):
    """What ``reporter`` tells, as JSON; ``history`` and ``stream`` are below it."""

    def __init__(
        self,
        access: Access,
        reporter: Reporter,
        history: HistoryResource,
        stream: StreamResource,
    ) -> None:
        super().__init__(access)
        self._reporter = reporter
        self.putChild(b"history", history)
        self.putChild(b"stream", stream)

    def show(self, request: Request, view: View) -> bytes:
        """All of it, or the numbers."""
        request.setHeader("Content-Type", "application/json")
        return json.dumps(self._reporter.now(names=view is View.ALL)).encode() + b"\n"
