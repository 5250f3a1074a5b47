"""``/token`` where the mirror is its own token server: who logs in gets a pass.

Source: the Docker registry v2 token authentication specification, and its OAuth2 form (RFC 6749,
sections 4.3 and 5).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from attrs import frozen

from hubmirror.access.gate import Access
from hubmirror.access.identities import Identity
from hubmirror.access.logins import Logins, login_of, parameter
from hubmirror.access.names import Names
from hubmirror.access.passes import Passes
from hubmirror.access.refusals import wrong_login
from hubmirror.naming import Scope
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
        names: dict[str, None] = {}
        for name, value in request.parameters:
            if name == "scope":
                names |= dict.fromkeys(self._granted(value, question, identity))
        return list(names)[:MOST_REPOSITORIES]

    def _granted(self, written: str, question: Question, identity: Identity) -> list[str]:
        """The names in one ``scope`` parameter that are granted; it may hold several scopes."""
        found = []
        for text in written.split(" "):
            scope = Scope.parse(text)
            if scope is None or scope.type != "repository":
                continue
            if not {"pull", "*"}.intersection(scope.actions):
                continue
            repository = self._names.repository(scope.name)
            if repository is None:
                continue
            if self._access.may_open(question.client.address, identity, repository):
                found.append(self._names.written(repository))
        return found


def _oauth_error(code: str) -> Answer:
    """RFC 6749, section 5.2, and beside it the registry's own form."""
    entry = {"code": "UNSUPPORTED", "message": f"{code}: this mirror gives tokens for passwords"}
    return Answer(400, _JSON, json.dumps({"error": code, "errors": [entry]}).encode())
