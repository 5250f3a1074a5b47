"""The operations over HTTP: ``POST /cache/ls`` and so on, JSON in, lines of JSON out.

Each line is a report as ``Report.as_json`` has it. The last is ``{"event": "end"}``, or what has
ended it early: ``{"event": "error", "message": …}``. Without either the daemon has broken off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import aclosing
from typing import BinaryIO, Final, cast

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from hubmirror.control.channel import MAX_BODY, ControlChannel, ControlSite
from hubmirror.control.operations import NAMES, Operations, Reports, UsageInvalid
from hubmirror.control.socket import path_of
from hubmirror.errors import HubmirrorError
from hubmirror.transport.pump import Pump, pump

__all__ = ["make_root", "make_site"]

_CONTENT_TYPE: Final = "application/x-ndjson"


def make_site(operations: Operations, reactor: IReactorTime) -> ControlSite:
    """What the control socket serves; its ``resource`` may be replaced at run time."""
    return ControlSite(make_root(operations), reactor=reactor)


def make_root(operations: Operations) -> Resource:
    """The resources of all operations."""
    root, cache = _Branch(), _Branch()
    root.putChild(b"cache", cache)
    for name in NAMES:
        parent = cache if path_of(name).startswith("/cache/") else root
        parent.putChild(name.encode(), _Operation(operations, name))
    return root


class _Branch(Resource):
    """Holds operations; all else is not found."""

    def getChild(self, _path: bytes, _request: Request) -> Resource:
        return _Nothing()

    def render(self, request: Request) -> bytes:
        return _Nothing().render(request)


class _Nothing(Resource):
    """A path that is no operation's."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        request.setResponseCode(404)
        return _line({"event": "error", "message": "there is no such operation"})


class _Operation(Resource):
    """One operation."""

    isLeaf = True
    _log = Logger()

    def __init__(self, operations: Operations, name: str) -> None:
        super().__init__()
        self._operations = operations
        self._name = name

    def render_POST(self, request: Request) -> int | bytes:
        """Begin, and write reports as they come; the client's leaving ends it."""
        if request.postpath not in ([], [b""]):
            return _Nothing().render(request)
        request.setHeader("Content-Type", _CONTENT_TYPE)
        channel = cast("ControlChannel", request.channel)
        try:
            reports = self._operations.begin(self._name, _arguments(request), channel.files)
        except HubmirrorError as error:
            request.setResponseCode(400)
            return _line({"event": "error", "message": str(error)})
        request.write(b"")  # the headers leave before the first report has come
        work = pump(request, lambda out: self._report(reports, out), lambda: None)
        work.addCallback(lambda _: request.finish())
        work.addErrback(self._ended, request)
        return NOT_DONE_YET

    async def _report(self, reports: Reports, out: Pump) -> None:
        async with aclosing(reports):
            try:
                async for report in reports:
                    await out.ready()
                    out.write(_line(report.as_json()))
                out.write(_line({"event": "end"}))
            except HubmirrorError as error:
                out.write(_line({"event": "error", "message": str(error)}))

    def _ended(self, failure: Failure, request: Request) -> None:
        if failure.check(CancelledError) is not None:
            return
        self._log.failure("an operation failed", failure=failure)
        request.write(_line({"event": "error", "message": "the mirror failed: see its log"}))
        request.finish()


def _arguments(request: Request) -> Mapping[str, object]:
    content = cast("BinaryIO", request.content)
    text = content.read(MAX_BODY + 1)
    try:
        values = json.loads(text or b"{}") if len(text) <= MAX_BODY else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise UsageInvalid("the arguments must be a JSON object of 1 MiB at most")
    return values


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"
