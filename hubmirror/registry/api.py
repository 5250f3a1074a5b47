"""The registry's API as Resources: a request becomes a Question, its Answer a response."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from attrs import evolve, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from hubmirror.cache.errors import StoreFailed
from hubmirror.errors import (
    BadRequest,
    NameInvalid,
    NotFound,
    RegistryError,
    Unavailable,
    Unsupported,
)
from hubmirror.mirror.mirror import Mirror
from hubmirror.naming import Scope
from hubmirror.question import (
    Answer,
    Body,
    Headers,
    Preflight,
    Question,
    Refusal,
    Subject,
    TokenRequest,
    registry_of,
)
from hubmirror.quota.kinds import Kind
from hubmirror.quota.quota import Charge
from hubmirror.registries import Registries
from hubmirror.registry.answers import API_VERSION, fields_of, has_no_body
from hubmirror.registry.message import (
    Exchange,
    Message,
    parse_parameters,
    query_of,
    segments_of,
)
from hubmirror.registry.paths import PathGrammar
from hubmirror.registry.request import MirrorRequest
from hubmirror.registry.responses import error_answer
from hubmirror.registry.starting import start
from hubmirror.transport.bodies import Bodies

__all__ = ["Api", "Begun", "Endpoint", "Token"]

#: How many targets are remembered with what they ask for.
REMEMBERED: Final = 1024

Took = Callable[[Kind, float], object]


def _nobody(_kind: Kind, _seconds: float) -> None:
    """Nobody wants to know."""


@frozen(eq=False)
class Begun:
    """The work on one request: counted, and the mirror asked.

    ``answer`` may be one of an error; whatever it fails with is a defect, unless it is cancelled.
    ``charge`` is None where it is counted elsewhere.
    """

    charge: Charge | None
    answer: Deferred[Answer]
    _took: Took

    def answer_at_hand(self) -> Answer | None:
        """The answer, if it is there already."""
        result = self.answer.result if self.answer.called else None
        return result if isinstance(result, Answer) else None

    def ended(self, received: int, sent: int, seconds: float) -> None:
        """So many bytes came and went, and so long it took; to be told once."""
        charge = self.charge
        if charge is not None and charge.is_counted:
            charge.moved(received, sent)
            self._took(charge.kind, seconds)


class Endpoint(Resource):
    """What the API's resources share: parse, ask the mirror, write.

    ``registries`` are those that it may be about; ``took`` is told how many seconds each request
    took.
    """

    isLeaf = True
    _log = Logger()

    def __init__(
        self, mirror: Mirror, bodies: Bodies, registries: Registries, took: Took = _nobody
    ) -> None:
        super().__init__()
        self._registries = registries
        self._mirror = mirror
        self._bodies = bodies
        self._took = took

    def begin(self, exchange: Exchange) -> Begun:
        """Any method, any path: the subject tells the mirror what was asked."""
        question = self._question(exchange)
        charge = self._mirror.admit(question)
        return Begun(charge, start(self._answer(question, charge)), self._took)

    def render(self, request: MirrorRequest) -> int:
        """Answer, going on with what has begun already."""
        request.setHeader(*API_VERSION)
        if request.method == b"OPTIONS":
            request.preflight()
        begun = request.begun
        if isinstance(begun, Failure):
            begun.raiseException()
        begun = begun or self.begin(request.exchange)
        ended = request.notifyFinish()
        work = Deferred.fromCoroutine(self._serve(request, begun))
        ended.addErrback(lambda _: work.cancel())
        ended.addBoth(
            lambda _: begun.ended(
                request.exchange.message.size, request.sentLength, request.seconds()
            )
        )
        work.addErrback(self._defect, request)
        return NOT_DONE_YET

    def subject(self, message: Message, home: str) -> Subject:
        """What ``message`` asks for; raises a ``RegistryError`` where that is nothing.

        ``home`` is the registry to which the mirror's host leads, by which the client knows it.
        """
        raise NotImplementedError

    def _question(self, exchange: Exchange) -> Question:
        message, home = exchange.message, self._registries.home(exchange.client.public_url)
        return self.asked(exchange, self._subject_or_refusal(message, home))

    def asked(self, exchange: Exchange, subject: Subject) -> Question:
        """``subject`` asked for by whoever sent ``exchange``, with the fields that came along."""
        message, home = exchange.message, self._registries.home(exchange.client.public_url)
        return Question(
            method=message.method.decode("ascii"),
            subject=subject,
            client=exchange.client,
            credential=message.text(b"authorization"),
            accept=message.texts(b"accept"),
            range=message.text(b"range"),
            if_range=message.text(b"if-range"),
            if_none_match=message.text(b"if-none-match"),
            is_foreign=(registry_of(subject) or self._registries.default) != home,
        )

    def challenging(self, answer: Answer, subject: Subject, *, is_foreign: bool) -> Answer:
        """``answer``, which sends for a token to where those for ``subject`` are given."""
        if answer.status != 401 or not is_foreign:
            return answer
        return evolve(answer, realm_path=f"/token/{registry_of(subject)}")

    async def _answer(self, question: Question, charge: Charge) -> Answer:
        try:
            answer = await self._mirror.answer(question, charge)
            return self.challenging(answer, question.subject, is_foreign=question.is_foreign)
        except RegistryError as error:
            return error_answer(error)
        except StoreFailed as error:
            self._log.warn("a kept blob can't be read: {why}", why=str(error))
            return error_answer(Unavailable(headers={"Retry-After": "1"}))

    async def _serve(self, request: MirrorRequest, begun: Begun) -> None:
        await self._write(request, await begun.answer)

    async def _write(self, request: MirrorRequest, answer: Answer) -> None:
        request.upstream_seconds = answer.upstream_seconds
        request.set_status(answer.status)
        length = self._bodies.length(answer.body)
        for name, value in fields_of(answer, length, request.exchange):
            request.responseHeaders.addRawHeader(name.encode(), value.encode("latin-1"))
        if has_no_body(answer, request.method):
            self._bodies.discard(answer.body)
        elif not await self._send(request, answer.body):
            return
        request.finish()

    async def _send(self, request: MirrorRequest, body: Body) -> bool:
        """Send ``body``; False where it broke off, and the client's connection with it."""
        request.write(b"")  # the headers leave before the first byte has come
        try:
            await self._bodies.send(body, request)
        except RegistryError as error:
            request.site.log_request({"id": request.request_id, "why": error.message})
            request.break_off()
            return False
        return True

    def _subject_or_refusal(self, message: Message, home: str) -> Subject:
        if message.method == b"OPTIONS":
            return Preflight()
        try:
            return self.subject(message, home)
        except RegistryError as error:
            return Refusal(error)

    def _defect(self, failure: Failure, request: MirrorRequest) -> None:
        if failure.check(CancelledError) is None:
            request.processingFailed(failure)


class Api(Endpoint):
    """``/v2/…``: OCI distribution-spec 1.1, the pulling half."""

    def __init__(
        self, mirror: Mirror, bodies: Bodies, registries: Registries, took: Took = _nobody
    ) -> None:
        super().__init__(mirror, bodies, registries, took)
        self._grammar = PathGrammar(registries)
        self._parsed = lru_cache(REMEMBERED)(self._parse)

    def subject(self, message: Message, home: str) -> Subject:
        """Raises ``Unsupported`` for a write, else as ``PathGrammar.parse``."""
        if message.method not in (b"GET", b"HEAD"):
            raise Unsupported(headers={"Allow": "GET, HEAD, OPTIONS"})
        return self._parsed(message.target, home)

    def _parse(self, target: bytes, home: str) -> Subject:
        try:
            segments = [segment.decode("ascii") for segment in segments_of(target)[1:]]
        except UnicodeDecodeError:
            raise NameInvalid() from None
        return self._grammar.parse(segments, query_of(target), home)


class Token(Endpoint):
    """``/token``, and ``/token/ghcr.io`` for another registry than the default one.

    Docker registry v2 token authentication, GET and the OAuth2 form of it.
    """

    def subject(self, message: Message, home: str) -> Subject:
        """Raises ``NotFound`` for a path below, ``Unsupported`` for other methods."""
        named = self._named(segments_of(message.target)[1:])
        if message.method not in (b"GET", b"POST"):
            raise Unsupported(
                "tokens are asked for by GET or POST", headers={"Allow": "GET, POST, OPTIONS"}
            )
        is_form = message.method == b"POST"
        parameters = _form(message) if is_form else query_of(message.target)
        registry = named or self._scoped(parameters, home)
        return TokenRequest(
            parameters, is_form, "" if registry == self._registries.default else registry
        )

    def _named(self, segments: list[bytes]) -> str | None:
        """The registry that is named in the path, if one is."""
        if len(segments) > 1:
            raise NotFound()
        name = b"".join(segments).decode("latin-1")
        return self._registries.find(name) if name else None

    def _scoped(self, parameters: Headers, home: str) -> str:
        """The registry that the first scope's name begins with, or else ``home``.

        dockerd is challenged on ``/v2/`` alone, and asks for its names as it has them. Where there
        is no such registry, that is told when the content is asked for: clients show it then.
        """
        if home != self._registries.default:
            return home
        scopes = [value for name, value in parameters if name == "scope"]
        scope = Scope.parse(scopes[0].partition(" ")[0]) if scopes else None
        registry, slash, _ = scope.name.partition("/") if scope is not None else ("", "", "")
        return (self._registries.known(registry) if slash else None) or home


def _form(message: Message) -> tuple[tuple[str, str], ...]:
    content_type = (message.text(b"content-type") or "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise BadRequest("a token request's body is application/x-www-form-urlencoded")
    return parse_parameters(message.body)
