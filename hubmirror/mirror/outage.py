"""``/v2/`` and ``/token``: the upstream's answer, or this mirror's own while it can't be asked.

It can't be in an outage, nor by whom a limit leaves no way upstream. Without these two no client
gets as far as asking for what is kept. A token of this mirror's own opens
public repositories only, whatever credentials came; it never goes upstream.
"""

from __future__ import annotations

import json
from typing import Final

from attrs import field, frozen
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from hubmirror.cache.interfaces import IIndex
from hubmirror.errors import NotFound
from hubmirror.mirror.kept import passed_on
from hubmirror.mirror.origin import IOrigin
from hubmirror.mirror.patience import IPatience
from hubmirror.naming import Scope
from hubmirror.question import Answer, Question, TokenRequest
from hubmirror.tokens.issuer import Issuer
from hubmirror.tokens.proxy import OWN_SERVICE, TokenProxy
from hubmirror.upstream.client import Reply

__all__ = ["Doorway", "IDoorway"]

#: How long a token of our own lives, in seconds.
LIFETIME: Final = 300
#: How long who shows a login waits for the token server, in seconds: a token of ours opens less.
#: docker itself gives up after 15.
KNOWN_WAIT: Final = 10.0
#: The challenge of ``/v2/`` when the upstream's own is not known; the edge puts its realm in.
CHALLENGE: Final = f'Bearer realm="/token",service="{OWN_SERVICE}"'
_UNAUTHORIZED: Final = (
    b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":null}]}\n'
)


class IDoorway(Interface):
    """What a client passes before it asks for content."""

    async def ping(question: Question, origin: IOrigin) -> Answer:
        """The answer to ``/v2/``."""

    async def token(question: Question, request: TokenRequest, origin: IOrigin) -> Answer:
        """The answer to ``/token``."""


@implementer(IDoorway)
@frozen(eq=False)
class Doorway:
    """The upstream is stood in for only where something is kept: else its own failure is what a
    client needs to know, unless it has stand-ins (``is_never_empty``). ``is_open_mirror``: the
    mirror pulls by an account of its own, so its clients need no token.
    """

    _tokens: TokenProxy
    _issuer: Issuer
    _patience: IPatience
    _index: IIndex
    _is_open_mirror: bool = field(kw_only=True)
    _is_never_empty: bool = field(default=False, kw_only=True)

    async def ping(self, question: Question, origin: IOrigin) -> Answer:
        """See ``IDoorway``."""
        if self._is_open_mirror or self._issuer.looks_ours(question.credential):
            return _welcome()
        if await self._is_empty():
            return passed_on(await origin.ask(question))
        asking = Deferred.fromCoroutine(origin.ask(question))
        reply = await self._patience.wait(asking, unwanted=_discard)
        if reply is not None:
            if not _is_failure(reply):
                return passed_on(reply)
            reply.body.discard()
        # Without an upstream any token is let on: a 401 in the midst of a pull would be its end.
        return _welcome() if question.credential is not None else _challenge()

    async def token(self, question: Question, request: TokenRequest, origin: IOrigin) -> Answer:
        """See ``IDoorway``."""
        if self._is_open_mirror:
            return self._own_token(request)
        if await self._is_empty():
            origin.admit()
            return passed_on(await self._tokens.exchange(question, request))
        # It goes on when the client gives up: else no time-out would ever be known for an outage.
        exchange = Deferred.fromCoroutine(self._exchanged(question, request, origin))
        is_anonymous = question.credential is None and not request.is_form
        seconds = None if is_anonymous else KNOWN_WAIT
        reply = await self._patience.wait(exchange, seconds, unwanted=_discard)
        if isinstance(reply, NotFound):
            raise reply
        if reply is not None:
            if not _is_failure(reply):
                return passed_on(reply)
            reply.body.discard()
        return self._own_token(request)

    async def _exchanged(
        self, question: Question, request: TokenRequest, origin: IOrigin
    ) -> Reply | NotFound:
        """The token server's answer, or that there is none: no failure, and told as it is."""
        origin.admit()
        try:
            return await self._tokens.exchange(question, request)
        except NotFound as error:
            return error

    async def _is_empty(self) -> bool:
        return not (self._is_never_empty or await self._index.least_recent(1))

    def _own_token(self, request: TokenRequest) -> Answer:
        scopes = [
            scope
            for name, value in request.parameters
            if name == "scope"
            for text in value.split(" ")
            if (scope := Scope.parse(text)) is not None
        ]
        token = self._issuer.issue(scopes, LIFETIME)
        headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
        return Answer(200, headers, json.dumps(token).encode())


def _is_failure(reply: Reply) -> bool:
    return reply.status == 429 or reply.status >= 500


def _discard(reply: Reply | NotFound) -> None:
    if isinstance(reply, Reply):
        reply.body.discard()


def _welcome() -> Answer:
    return Answer(200, (("Content-Type", "application/json"),), b"{}")


def _challenge() -> Answer:
    headers = (("Content-Type", "application/json"), ("WWW-Authenticate", CHALLENGE))
    return Answer(401, headers, _UNAUTHORIZED)
