"""Answers that are there at once, written without a Request and its tree of resources.

Nothing is decided here: the question is asked as ``Api`` asks it, and what is not there at once
goes on in ``Api``, with the work that has begun.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from attrs import frozen
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers as TwistedHeaders

from hubmirror.question import Answer, Headers
from hubmirror.registry.answers import API_VERSION, fields_of, has_no_body, passing_fields
from hubmirror.registry.api import Api, Begun
from hubmirror.registry.message import Exchange, Message
from hubmirror.registry.responses import COMMON_HEADERS, reason

__all__ = ["QuickWay", "Response"]

#: How many header fields, and heads, are remembered as they look on the wire.
_REMEMBERED: Final = 1024


@frozen(eq=False)
class Response:
    """A whole response. ``sent`` is how many bytes of ``data`` are its body's."""

    begun: Begun
    answer: Answer
    data: bytes
    sent: int


class QuickWay:
    """``now`` is in seconds since the epoch, for the Date."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._second = -1
        self._date = b""
        self._line = lru_cache(_REMEMBERED)(_line)
        self._passing = lru_cache(_REMEMBERED)(self._passing_lines)
        self._status_line = lru_cache(_REMEMBERED)(_status_line)
        server, *others = COMMON_HEADERS
        self._server = _line(*server)
        self._common = b"".join(_line(*field) for field in (*others, API_VERSION))

    def begin(self, api: Api, exchange: Exchange) -> Begun | Failure | None:
        """The work on ``exchange``, begun if it may be quick; a Failure where it has a defect."""
        if not _may_be_quick(exchange.message):
            return None
        try:
            return api.begin(exchange)
        except Exception:
            return Failure()

    def response(
        self, begun: Begun | Failure | None, exchange: Exchange, *, is_last: bool
    ) -> Response | None:
        """The response, if the answer is there and all in memory.

        ``is_last``: the connection ends behind it. Where an answer can't be written, that is
        for the usual way to find and to tell.
        """
        if not isinstance(begun, Begun):
            return None
        answer = begun.answer_at_hand()
        if answer is None or not isinstance(answer.body, bytes):
            return None
        try:
            head = self._head(answer, len(answer.body), exchange, is_last=is_last)
        except ValueError:
            return None
        body = b"" if has_no_body(answer, exchange.message.method) else answer.body
        return Response(begun, answer, head + body, len(body))

    def _head(self, answer: Answer, length: int, exchange: Exchange, *, is_last: bool) -> bytes:
        message = exchange.message
        lines = self._passing(answer.headers, answer.status, length, message.method == b"HEAD")
        if lines is None:
            lines = self._lines(fields_of(answer, length, exchange))
        return b"%b%bX-Request-Id: %b\r\n%bDate: %b\r\n%b%b\r\n" % (
            self._status_line(message.version, answer.status),
            b"Connection: close\r\n" if is_last else b"",
            exchange.id.encode(),
            self._server,
            self._date_now(),
            self._common,
            lines,
        )

    def _passing_lines(
        self, headers: Headers, status: int, length: int, is_head: bool
    ) -> bytes | None:
        """All lines of an answer's own, or None where some are for one exchange alone.

        These are remembered: what is answered from memory has the same ones for a second.
        """
        fields, is_rewritten = passing_fields(headers, status, length, is_head=is_head)
        return None if is_rewritten else self._lines(fields)

    def _lines(self, fields: Headers) -> bytes:
        return b"".join([self._line(*field) for field in fields])

    def _date_now(self) -> bytes:
        second = int(self._now())
        if second != self._second:
            self._second, self._date = second, datetimeToString(second)
        return self._date


def _may_be_quick(message: Message) -> bool:
    return (
        message.method in (b"GET", b"HEAD")
        and not message.has_body
        and message.target.startswith(b"/v2/")
    )


def _status_line(version: bytes, status: int) -> bytes:
    return b"%b %d %b\r\n" % (version, status, reason(status).encode())


def _line(name: str, value: str) -> bytes:
    """A field as Twisted's own ``Headers`` has it, so that the two ways can't differ."""
    wire = TwistedHeaders({name.encode(): [value.encode("latin-1")]})
    return b"".join(b"%b: %b\r\n" % (key, one) for key, [one] in wire.getAllRawHeaders())
