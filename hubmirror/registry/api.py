"""The registry's API as Resources: a request becomes a Question, its Answer a response."""

from __future__ import annotations

from typing import BinaryIO, Final, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from hubmirror.errors import BadRequest, NameInvalid, NotFound, RegistryError, Unsupported
from hubmirror.mirror.mirror import Mirror
from hubmirror.question import (
    Answer,
    Body,
    Preflight,
    Question,
    Refusal,
    Subject,
    TokenRequest,
)
from hubmirror.registry.links import stay_on_mirror
from hubmirror.registry.paths import PathGrammar
from hubmirror.registry.request import MirrorRequest, parse_parameters
from hubmirror.transport.bodies import Bodies
from hubmirror.upstream.challenge import rewrite_realm

__all__ = ["Api", "Token"]

#: Statuses whose responses have neither a body nor a length (RFC 9110, section 8.6).
BODILESS: Final = frozenset((204, 304))
LENGTH: Final = b"Content-Length"


class _Endpoint(Resource):
    """What the API's resources share: parse, ask the mirror, write."""

    isLeaf = True
    _log = Logger()

    def __init__(self, mirror: Mirror, bodies: Bodies) -> None:
        super().__init__()
        self._mirror = mirror
        self._bodies = bodies

    def render(self, request: MirrorRequest) -> int:
        """Any method, any path: the subject tells the mirror what was asked."""
        work = Deferred.fromCoroutine(self._serve(request))
        request.notifyFinish().addErrback(lambda _: work.cancel())
        work.addErrback(self._defect, request)
        return NOT_DONE_YET

    def subject(self, request: MirrorRequest) -> Subject:
        """What ``request`` asks for; raises a ``RegistryError`` where that is nothing."""
        raise NotImplementedError

    async def _serve(self, request: MirrorRequest) -> None:
        question = _question(request, self._subject_or_refusal(request))
        try:
            answer = await self._mirror.answer(question)
        except RegistryError as error:
            request.fail(error)
            return
        await self._write(request, answer)

    async def _write(self, request: MirrorRequest, answer: Answer) -> None:
        request.upstream_seconds = answer.upstream_seconds
        request.set_status(answer.status)
        _write_headers(request, answer)
        self._write_length(request, answer)
        if request.method == b"HEAD" or answer.status in BODILESS:
            self._bodies.discard(answer.body)
        elif not await self._send(request, answer.body):
            return
        request.finish()

    def _write_length(self, request: MirrorRequest, answer: Answer) -> None:
        if answer.status in BODILESS or request.responseHeaders.hasHeader(LENGTH):
            return
        length = self._bodies.length(answer.body)
        # An upstream's answer to a HEAD has no bytes: that tells nothing of the length.
        if length is not None and (length or request.method != b"HEAD"):
            request.setHeader(LENGTH, b"%d" % length)

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

    def _subject_or_refusal(self, request: MirrorRequest) -> Subject:
        request.setHeader("Docker-Distribution-Api-Version", "registry/2.0")
        if request.method == b"OPTIONS":
            request.preflight()
            return Preflight()
        try:
            return self.subject(request)
        except RegistryError as error:
            return Refusal(error)

    def _defect(self, failure: Failure, request: MirrorRequest) -> None:
        if failure.check(CancelledError) is None:
            request.processingFailed(failure)


class Api(_Endpoint):
    """``/v2/…``: OCI distribution-spec 1.1, the pulling half."""

    def __init__(self, mirror: Mirror, bodies: Bodies, grammar: PathGrammar) -> None:
        super().__init__(mirror, bodies)
        self._grammar = grammar

    def subject(self, request: MirrorRequest) -> Subject:
        """Raises ``Unsupported`` for a write, else as ``PathGrammar.parse``."""
        if request.method not in (b"GET", b"HEAD"):
            raise Unsupported(headers={"Allow": "GET, HEAD, OPTIONS"})
        try:
            segments = [segment.decode("ascii") for segment in request.postpath or ()]
        except UnicodeDecodeError:
            raise NameInvalid() from None
        return self._grammar.parse(segments, request.query())


class Token(_Endpoint):
    """``/token``: Docker registry v2 token authentication, GET and the OAuth2 form of it."""

    def subject(self, request: MirrorRequest) -> Subject:
        """Raises ``NotFound`` for a path below, ``Unsupported`` for other methods."""
        if request.postpath not in ([], [b""]):
            raise NotFound()
        if request.method == b"POST":
            return TokenRequest(_form(request), is_form=True)
        if request.method != b"GET":
            raise Unsupported(
                "tokens are asked for by GET or POST", headers={"Allow": "GET, POST, OPTIONS"}
            )
        return TokenRequest(request.query())


def _form(request: MirrorRequest) -> tuple[tuple[str, str], ...]:
    content_type = (request.text_header("Content-Type") or "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise BadRequest("a token request's body is application/x-www-form-urlencoded")
    content = cast("BinaryIO", request.content)
    content.seek(0)
    return parse_parameters(content.read())


def _question(request: MirrorRequest, subject: Subject) -> Question:
    accept = request.requestHeaders.getRawHeaders(b"Accept", [])
    return Question(
        method=request.method.decode("ascii"),
        subject=subject,
        client=request.mirror_client,
        credential=request.text_header("Authorization"),
        accept=tuple(value.decode("latin-1") for value in accept),
        range=request.text_header("Range"),
        if_range=request.text_header("If-Range"),
        if_none_match=request.text_header("If-None-Match"),
    )


def _write_headers(request: MirrorRequest, answer: Answer) -> None:
    challenges, links = [], []
    for name, value in answer.headers:
        lowered = name.lower()
        if lowered == "www-authenticate":
            challenges.append(value)
        elif lowered == "link":
            links.append(value)
        elif lowered != "docker-distribution-api-version":  # it is there already
            request.responseHeaders.addRawHeader(name.encode(), value.encode("latin-1"))
    for challenge in rewrite_realm(challenges, f"{request.mirror_client.public_url}/token"):
        request.responseHeaders.addRawHeader(b"WWW-Authenticate", challenge.encode("latin-1"))
    for link in links:
        own = stay_on_mirror(link, request.path.decode("latin-1"))
        if own is not None:
            request.responseHeaders.addRawHeader(b"Link", own.encode("latin-1"))
