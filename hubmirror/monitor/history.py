"""``GET /quota/history``: what was counted each minute, hour or day, as JSON or CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from attrs import frozen
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET, Request

from hubmirror.errors import BadRequest
from hubmirror.monitor.access import Access, View
from hubmirror.monitor.guarded import Guarded
from hubmirror.quota.counters import Counters
from hubmirror.quota.history import Step
from hubmirror.quota.tally import Tally
from hubmirror.quota.window import DAY, moment, rfc3339
from hubmirror.transport.pump import Pump, pump

__all__ = ["HistoryResource"]

_Rows = Sequence[tuple[float, Counters]]

#: How far back one may look, in seconds, and by which steps where none is asked for.
_RANGES: Final = {
    "24h": (DAY, Step.MINUTE),
    "35d": (35 * DAY, Step.HOUR),
    "400d": (400 * DAY, Step.DAY),
}
_STEPS: Final = {step.name.lower(): step for step in Step}
_FORMATS: Final = ("json", "csv")
#: So many rows are written at a time: 1,440 at once would hold all else for a tenth of a second.
_SLICE: Final = 20

# An element of ``Accept``: RFC 9110, section 12.5.1. What is not of this form is not heard.
_ACCEPTED = re.compile(
    r"\s*([\w*.+-]+/[\w*.+-]+)(?:\s*;\s*(?!q=)[^;,]*)*(?:\s*;\s*q=([01](?:\.\d{0,3})?))?\s*",
    re.ASCII | re.IGNORECASE,
)


class HistoryResource(Guarded):
    """The rows of ``tally``, oldest first: ``?range=24h|35d|400d``, with ``step=minute|hour|day``

    and ``format=json|csv`` where the defaults won't do.
    """

    def __init__(self, access: Access, tally: Tally, clock: IReactorTime) -> None:
        super().__init__(access)
        self._tally = tally
        self._clock = clock

    def show(self, request: Request, view: View) -> int:  # noqa: ARG002 - all are numbers
        """Begin; the rows leave a few at a time, and as fast as the client takes them."""
        asked = _Asked.parse(request)
        request.setHeader("Vary", "Accept")
        request.setHeader("Content-Type", asked.content_type)
        if asked.is_csv:
            name = f"hubmirror-{asked.range}-{asked.step.name.lower()}.csv"
            request.setHeader("Content-Disposition", f'attachment; filename="{name}"')
        if request.method == b"HEAD":
            request.finish()
        else:
            self._send(request, asked)
        return NOT_DONE_YET

    def _send(self, request: Request, asked: _Asked) -> None:
        rows = self._tally.rows(asked.step, asked.count)
        pieces = (_csv if asked.is_csv else _json)(asked, rows)
        work = pump(cast(IConsumer, request), lambda out: self._feed(out, pieces), lambda: None)
        work.addCallback(lambda _: request.finish())
        work.addErrback(_failed, request)

    async def _feed(self, out: Pump, pieces: Iterator[str]) -> None:
        for piece in pieces:
            await out.ready()
            out.write(piece.encode())
            await deferLater(self._clock, 0)


@frozen
class _Asked:
    range: str
    step: Step
    is_csv: bool

    @classmethod
    def parse(cls, request: Request) -> _Asked:
        """Raises ``BadRequest`` that says what may be asked for."""
        given = _parameters(request)
        span = _choice("range", given.get("range", "24h"), _RANGES)
        seconds, usual = _RANGES[span]
        step = _STEPS[_choice("step", given.get("step", usual.name.lower()), _STEPS)]
        if seconds > step.seconds * step.kept:
            kept = ", ".join(f"{each.kept} {each.name.lower()}s" for each in Step)
            raise BadRequest(f"no such range is kept by that step: {kept} are")
        if "format" in given:
            is_csv = _choice("format", given["format"], _FORMATS) == "csv"
        else:
            is_csv = _prefers_csv(request)
        return cls(span, step, is_csv)

    @property
    def count(self) -> int:
        """How many rows that is."""
        return _RANGES[self.range][0] // self.step.seconds

    @property
    def content_type(self) -> str:
        return "text/csv; charset=utf-8; header=present" if self.is_csv else "application/json"


def _parameters(request: Request) -> Mapping[str, str]:
    args = cast("Mapping[bytes, list[bytes]]", request.args)
    given = {name.decode("latin-1"): values for name, values in args.items()}
    if given.keys() - {"range", "step", "format"} or any(len(one) > 1 for one in given.values()):
        raise BadRequest("what may be asked is range, step and format, each once")
    return {name: values[0].decode("latin-1") for name, values in given.items()}


def _choice(name: str, value: str, allowed: Mapping[str, object] | Sequence[str]) -> str:
    if value not in allowed:
        raise BadRequest(f"{name} must be one of {', '.join(allowed)}")
    return value


def _prefers_csv(request: Request) -> bool:
    """Whether ``Accept`` would rather have CSV; all else is JSON, which is never refused."""
    values = request.requestHeaders.getRawHeaders("Accept", [])
    found = [_ACCEPTED.fullmatch(one) for value in values for one in value.split(",")]
    weights = {one[1].lower(): float(one[2] or 1) for one in found if one is not None}
    others = max(weights.get("application/*", 0), weights.get("*/*", 0))
    return weights.get("text/csv", 0) > weights.get("application/json", others)


def _slices(rows: _Rows) -> Iterator[list[dict[str, object]]]:
    for first in range(0, len(rows), _SLICE):
        yield [
            {"start": rfc3339(moment(start)), **counters.as_json()}
            for start, counters in rows[first : first + _SLICE]
        ]


def _json(asked: _Asked, rows: _Rows) -> Iterator[str]:
    head = {"range": asked.range, "step": asked.step.name.lower()}
    separator = json.dumps(head).removesuffix("}") + ', "rows": ['
    for objects in _slices(rows):
        yield separator + ", ".join(map(json.dumps, objects))
        separator = ", "
    yield "]}\n"


def _csv(_asked: _Asked, rows: _Rows) -> Iterator[str]:
    has_header = False
    for objects in _slices(rows):
        flat = [_flattened(one) for one in objects]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(flat[0]))
        if not has_header:
            writer.writeheader()
            has_header = True
        writer.writerows(flat)
        yield text.getvalue()


def _flattened(told: Mapping[str, Any]) -> dict[str, object]:
    """``{"by_kind": {"token": 1}}`` as ``{"by_kind.token": 1}``."""
    flat: dict[str, object] = {}
    for name, value in told.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": number for inner, number in value.items()}
        else:
            flat[name] = value
    return flat


def _failed(failure: Failure, request: Request) -> None:
    """The client has gone, which is nothing, or this has a defect: the answer is cut off."""
    if failure.check(CancelledError) is None:
        request.processingFailed(failure)
