"""The Hub's token server: who asks, what they may pull, and a token that says so.

Sources: Docker's "Token Authentication Specification" (GET) and "OAuth2 token authentication"
(POST). As at Docker Hub, a scope that is not granted is left out of the token, in silence:
that a repository is private, or missing, shows itself only at the registry.
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime, timezone
from typing import Final

from attrs import frozen
from twisted.web.server import Request

from hubmirror.demo.accounts import Accounts
from hubmirror.demo.errors import Unauthorized
from hubmirror.demo.host import Host, HostResource, request_field
from hubmirror.demo.sending import send_content
from hubmirror.demo.signing import Claims, InvalidToken, TokenMint
from hubmirror.demo.store import IStore
from hubmirror.errors import BadRequest
from hubmirror.naming import Scope

__all__ = ["CATALOG", "TokenResource", "TokenServer"]

#: What opens ``/v2/_catalog``; granted to users only.
CATALOG: Final = Scope("registry", "catalog", ("*",))

_REFRESH_LIFETIME = 30 * 86400


@frozen
class TokenServer:
    """Grants tokens for what is in ``store``, to the users in ``accounts`` and to anybody.

    ``lifetime`` is that of an access token, in seconds.
    """

    store: IStore
    accounts: Accounts
    mint: TokenMint
    lifetime: int = 300

    async def grant(self, user: str | None, scopes: tuple[Scope, ...]) -> Claims:
        """What of ``scopes`` the user (None: anybody) gets."""
        granted = [(scope, await self._actions(user, scope)) for scope in scopes]
        return Claims(
            user, tuple(Scope(s.type, s.name, actions) for s, actions in granted if actions)
        )

    async def _actions(self, user: str | None, scope: Scope) -> tuple[str, ...]:
        if scope == CATALOG:
            return scope.actions if user is not None else ()
        if scope.type != "repository" or not self.accounts.may_pull(user, scope.name):
            return ()
        exists = await self.store.tags(scope.name) is not None
        return ("pull",) if exists and "pull" in scope.actions else ()


class TokenResource(HostResource):
    """``/token``."""

    methods = (b"GET", b"HEAD", b"POST")

    def __init__(self, host: Host, server: TokenServer) -> None:
        super().__init__(host)
        self._server = server

    async def answer(self, request: Request) -> None:
        """Answer with a token, or 401 to a wrong password; a token is not for caches."""
        if request.method == b"POST":
            user = self._user_of_form(request)
            wants_refresh = _parameter(request, "access_type") == "offline"
        else:
            user = self._user_of_basic(request_field(request, "Authorization"))
            wants_refresh = _parameter(request, "offline_token") == "true"
        claims = await self._server.grant(user, _scopes(request))
        document = self._document(claims, wants_refresh and user is not None)
        if request.method == b"POST":
            document["scope"] = " ".join(map(str, claims.access))
        else:
            document["token"] = document["access_token"]
        request.setHeader("Cache-Control", "no-store")
        await send_content(request, self.host, "application/json", json.dumps(document).encode())

    def _document(self, claims: Claims, with_refresh: bool) -> dict[str, object]:
        mint, lifetime = self._server.mint, self._server.lifetime
        now = datetime.fromtimestamp(self.host.clock.seconds(), timezone.utc)
        document: dict[str, object] = {
            "access_token": mint.issue(claims, "access", lifetime),
            "expires_in": lifetime,
            "issued_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if with_refresh:
            identity = Claims(claims.user)
            document["refresh_token"] = mint.issue(identity, "refresh", _REFRESH_LIFETIME)
        return document

    def _user_of_basic(self, authorization: str | None) -> str | None:
        """The user that RFC 7617 credentials name; None without any."""
        if authorization is None:
            return None
        scheme, _, encoded = authorization.partition(" ")
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise _wrong_password() from None
        if scheme.lower() != "basic" or not self._server.accounts.knows(name, password):
            raise _wrong_password()
        return name

    def _user_of_form(self, request: Request) -> str | None:
        """The user that an OAuth2 form names, by password or by refresh token."""
        grant_type = _parameter(request, "grant_type")
        if grant_type == "refresh_token":
            return self._user_of_refresh_token(_parameter(request, "refresh_token"))
        if grant_type != "password":
            raise BadRequest("grant_type must be password or refresh_token")
        name = _parameter(request, "username")
        if not self._server.accounts.knows(name, _parameter(request, "password")):
            raise _wrong_password()
        return name

    def _user_of_refresh_token(self, token: str) -> str | None:
        try:
            return self._server.mint.read(token, "refresh").user
        except InvalidToken:
            raise _wrong_password() from None


def _scopes(request: Request) -> tuple[Scope, ...]:
    """All scopes asked for: several parameters, or one with spaces between."""
    texts = b" ".join(request.args.get(b"scope", [])).decode("utf-8", "replace").split()
    parsed = [Scope.parse(text) for text in texts]
    return tuple(scope for scope in parsed if scope is not None)


def _parameter(request: Request, name: str) -> str:
    """The first value of a parameter, in the query or the form, or nothing."""
    values: list[bytes] = request.args.get(name.encode(), [b""])
    return values[0].decode("utf-8", "replace")


def _wrong_password() -> Unauthorized:
    return Unauthorized("incorrect username or password")
