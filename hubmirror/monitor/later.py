"""Answers that are not there at once."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET, Request

__all__ = ["answer_later"]


def answer_later(request: Request, work: Coroutine[Any, Any, bytes]) -> int:
    """Give ``request`` the body that ``work`` comes to; it ends when the client goes away.

    For a ``render`` method to return. Whatever ``work`` raises is a defect: 500.
    """
    ended = request.notifyFinish()
    running = Deferred.fromCoroutine(work)
    ended.addErrback(lambda _: running.cancel())
    running.addCallback(_write, request).addErrback(_fail, request)
    return NOT_DONE_YET


def _write(body: bytes, request: Request) -> None:
    request.setHeader("Content-Length", str(len(body)))
    request.write(body)  # nothing of it leaves where a HEAD asked
    request.finish()


def _fail(failure: Failure, request: Request) -> None:
    if failure.check(CancelledError) is None:
        request.processingFailed(failure)
