"""``/token`` where the mirror is its own token server: who logs in gets a pass.

Source: the Docker registry v2 token authentication specification, and its OAuth2 form (RFC 6749,
sections 4.3 and 5).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from hubmirror.access.gate import Access
from hubmirror.access.identities import Identity
from hubmirror.access.logins import Logins, login_of, parameter
from hubmirror.access.names import Names, full_name
from hubmirror.access.passes import Passes
from hubmirror.access.refusals import wrong_login
from hubmirror.naming import Repository, Scope
from hubmirror.question import Answer, Question, TokenRequest

__all__ = ["TokenOffice"]

#: How many repositories one pass names: a token must fit into a request's header.
MOST_REPOSITORIES: Final = 32

_JSON: Final = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))


@frozen(eq=False)
class TokenOffice:
    """Gives passes for what the rules give to who asks. ``now`` is in seconds since the epoch."""

    _access: Access
    _logins: Logins
    _passes: Passes
    _names: Names
    _now: Callable[[], float]

    async def answer(self, question: Question, request: TokenRequest) -> Answer:
        """The answer to ``/token``. As token servers do, it leaves out in silence what it does not

        grant. Raises ``Unauthorized``, and what ``Logins.find`` raises.
        """
        if request.is_form and parameter(request, "grant_type") != "password":
            return _oauth_error("unsupported_grant_type")
        identity = await self._who(question, request)
        granted = self._passes.issue(
            identity.user or "",
            self._names_for(question, request, identity),
            self._now(),
            until=self._logins.end_of(identity),
            by_certificate=identity.user is not None and login_of(question) is None,
        )
        return Answer(200, _JSON, json.dumps(granted).encode())

    async def _who(self, question: Question, request: TokenRequest) -> Identity:
        if request.is_form and login_of(question) is None:
            raise wrong_login(is_shown=True)
        identity = await self._logins.find(question)
        if identity.user is None and self._access.is_login_required:
            raise wrong_login(is_shown=False)
        return identity

    def _names_for(
        self, question: Question, request: TokenRequest, identity: Identity
    ) -> list[str]:
        address = question.client.address
        granted = (
            full_name(one)
            for one in self._asked_for(request)
            if self._access.may_open(address, identity, one)
        )
        return list(dict.fromkeys(granted))[:MOST_REPOSITORIES]

    def _asked_for(self, request: TokenRequest) -> Iterator[Repository]:
        """What is to be pulled. A ``scope`` parameter may hold several scopes."""
        written = (value for name, value in request.parameters if name == "scope")
        for scope in (Scope.parse(text) for value in written for text in value.split(" ")):
            if scope is None or scope.type != "repository":
                continue
            repository = self._names.repository(scope.name, request.registry)
            if repository is not None and {"pull", "*"}.intersection(scope.actions):
                yield repository


def _oauth_error(code: str) -> Answer:
    """RFC 6749, section 5.2, and beside it the registry's own form."""
    entry = {"code": "UNSUPPORTED", "message": f"{code}: this mirror gives tokens for passwords"}
    return Answer(400, _JSON, json.dumps({"error": code, "errors": [entry]}).encode())
