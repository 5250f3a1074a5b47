"""One request to an upstream: with limits, with a second try where that is safe, paced.

What Twisted bounds of an answer's head: a line of it (16 KiB) and a chunk's size line (1 KiB),
but not the number of lines. ``TimeLimits.response`` bounds that: it ends with the last header.
"""

from __future__ import annotations

import random as random_numbers
from collections.abc import Callable
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NoReturn, cast

from attrs import field, frozen
from hyperlink import EncodedURL
from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed, ResponseNeverReceived
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from hubmirror.errors import UpstreamFailure, UpstreamTimeout
from hubmirror.question import Headers, IStream
from hubmirror.quota.counters import UPSTREAM_BYTES, UPSTREAM_REQUESTS
from hubmirror.quota.history import MemoryHistory
from hubmirror.quota.tally import Tally
from hubmirror.upstream import headers as fields
from hubmirror.upstream.body import EmptyBody, ResponseBody
from hubmirror.upstream.breaker import Breaker, BrokenAnswer
from hubmirror.upstream.failures import describe_failure
from hubmirror.upstream.pacing import Pacing
from hubmirror.upstream.url import origin_of

__all__ = ["Reply", "TimeLimits", "UpstreamClient", "http_client"]

_REPEATABLE = frozenset(("GET", "HEAD"))
#: The shortest and the longest wait before another try, in seconds.
_BACK_OFF = (0.1, 1.0)


@frozen
class TimeLimits:
    """In seconds. ``response``: until an answer's headers are there, connecting and all tries

    included. ``stall``: between two bytes of a body that is wanted.
    """

    response: float
    stall: float


@frozen
class Reply:
    """An upstream's answer. ``body`` must be sent or discarded.

    ``headers`` are as they came, less what frames the message: the length of a body is
    ``body.length``, and ``Content-Length`` is among the headers only in the answer to a HEAD.
    ``seconds`` is the time to the headers, ``url`` (which may hold a signature) who answered.
    """

    status: int
    headers: Headers
    body: IStream = field(repr=False)
    seconds: float
    url: str = field(repr=False)

    def header(self, name: str) -> str | None:
        """The first field called ``name``, in any case."""
        return fields.field(self.headers, name)


class UpstreamClient:
    """Sends requests to upstreams, and follows no redirect.

    A GET or HEAD that fails before its answer begins is tried again, ``retries`` times at most.
    ``random`` returns floats from 0 to 1, for the jitter of the waits between. ``breaker`` is
    one of its own unless others look at it, too; so is ``tally``, in which all is counted.
    """

    def __init__(
        self,
        http: HTTPClient,
        clock: IReactorTime,
        limits: TimeLimits,
        pacing: Pacing,
        retries: int = 2,
        random: Callable[[], float] = random_numbers.random,
        breaker: Breaker | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._http = http
        self._clock = clock
        self._limits = limits
        self._pacing = pacing
        self._retries = retries
        self._random = random
        self._breaker = breaker or Breaker(clock)
        self._tally = tally or Tally(MemoryHistory(), clock.seconds)

    async def request(
        self, method: str, url: str, headers: Headers = (), body: bytes | None = None
    ) -> Reply:
        """The answer to ``method`` on ``url``, which ``checked_url`` has passed.

        Raises ``UpstreamTimeout``, ``UpstreamRefused``, ``UpstreamPaused``, ``UpstreamDown`` or
        another ``UpstreamFailure``, with a sentence that names the host. Cancelling ends the
        request.
        """
        await self._pacing.admit(url)
        began = self._clock.seconds()
        with self._breaker.watch(url) as watch:
            response = await self._persist(method, url, headers, body)
            watch.answered(response.code)
        reply = Reply(
            response.code,
            fields.decode(response.headers),
            self._body(method, url, response),
            self._clock.seconds() - began,
            url,
        )
        self._pacing.learn(url, reply.status, reply.headers)
        return reply

    def _body(self, method: str, url: str, response: IResponse) -> IStream:
        if method == "HEAD" or response.code in (204, 304) or response.length == 0:
            return EmptyBody()  # Twisted has given the connection back already
        received = partial(self._tally.add, UPSTREAM_BYTES)
        host = origin_of(url).host
        return ResponseBody(response, self._clock, self._limits.stall, host, received)

    async def _persist(
        self, method: str, url: str, headers: Headers, body: bytes | None
    ) -> IResponse:
        deadline = self._clock.seconds() + self._limits.response
        tries = 1 + (self._retries if method in _REPEATABLE else 0)
        while True:
            tries -= 1
            try:
                return await self._send(method, url, headers, body, deadline)
            except (CancelledError, UpstreamFailure):  # the agent's own is final, too
                raise
            except Exception:
                failure = _described(Failure(), origin_of(url).host)
                pause = self._back_off()
                late = self._clock.seconds() + pause >= deadline
                if tries == 0 or late or isinstance(failure, (UpstreamTimeout, BrokenAnswer)):
                    raise failure from None  # the cause's own words may hold the URL
            await deferLater(self._clock, pause)

    def _send(
        self, method: str, url: str, headers: Headers, body: bytes | None, deadline: float
    ) -> Deferred[IResponse]:
        self._tally.add(UPSTREAM_REQUESTS)
        sending = maybeDeferred(
            self._http.request,
            method,
            cast(Any, _VerbatimURL(url)),
            headers=fields.encode(headers),
            data=body,
            allow_redirects=False,
            unbuffered=True,
            reactor=cast(Any, self._clock),
        )
        answer = _cleanly_cancelled(cast("Deferred[IResponse]", sending))
        left = deadline - self._clock.seconds()
        return answer.addTimeout(left, self._clock, lambda *_: self._too_late(url))

    def _too_late(self, url: str) -> NoReturn:
        host, limit = origin_of(url).host, self._limits.response
        raise UpstreamTimeout(f"{host} did not answer within {limit:g} seconds")

    def _back_off(self) -> float:
        shortest, longest = _BACK_OFF
        return shortest + (longest - shortest) * self._random()


def http_client(agent: IAgent) -> HTTPClient:
    """An HTTP client over ``agent`` without two of treq's habits: it keeps no cookies (its jar is

    one for all users), and it sends a body at once, not through Twisted's global cooperator.
    """
    jar = IndexableCookieJar(policy=DefaultCookiePolicy(allowed_domains=()))
    return HTTPClient(agent, cookiejar=jar, data_to_body_producer=_BytesProducer)


class _VerbatimURL(EncodedURL):
    """A URL that goes out as it is written.

    treq's own way through hyperlink refuses IPv6 literals and underscores in a host's name.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def to_uri(self) -> EncodedURL:
        return self

    def to_text(self, with_password: bool = False) -> str:  # noqa: ARG002 - it has none
        return self._text


@implementer(IBodyProducer)
class _BytesProducer:
    """A request's body that is in memory, and small: a token request's form."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """All is written already."""

    def resumeProducing(self) -> None:
        """All is written already."""

    def stopProducing(self) -> None:
        """All is written already."""


def _cleanly_cancelled(sending: Deferred[IResponse]) -> Deferred[IResponse]:
    """``sending``, but cancelled it fails with ``CancelledError`` and nothing else: Twisted's

    own failure depends on how far the request has come, and can look like a lost connection.
    """

    def cancel(answer: Deferred[IResponse]) -> None:
        answer.errback(CancelledError())
        sending.cancel()

    def settle(result: IResponse | Failure) -> None:
        if not answer.called:
            answer.callback(cast(IResponse, result))

    answer: Deferred[IResponse] = Deferred(cancel)
    sending.addBoth(settle)
    return answer


def _described(failure: Failure, host: str) -> UpstreamFailure:
    """What ``failure`` means: a ``BrokenAnswer`` where something of an answer had come."""
    described = describe_failure(failure, host)
    began = failure.check(ResponseFailed) and not failure.check(ResponseNeverReceived)
    if began and not isinstance(described, UpstreamTimeout):
        return BrokenAnswer(described.message)
    return described
