"""The registry's guard: every path is 401 and a challenge until a token that opens it comes."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from twisted.web.server import Request

from hubmirror.demo.errors import Unauthorized
from hubmirror.demo.host import Host, HostResource, request_field
from hubmirror.demo.pulls import PullLimit
from hubmirror.demo.signing import Claims, InvalidToken, TokenMint, UrlSigner
from hubmirror.demo.store import IStore
from hubmirror.naming import Scope

__all__ = ["Front", "FrontResource", "RepositoryResource"]


@frozen
class Front:
    """What the registry's resources share. ``blob_url`` and ``realm`` are the other hosts'."""

    host: Host
    store: IStore
    mint: TokenMint
    signer: UrlSigner
    pulls: PullLimit
    blob_url: str
    realm: str
    service: str = "registry.demo"
    is_public: Callable[[str], bool] = lambda _repository: True

    def authorize(self, authorization: str | None, scope: Scope | None) -> Claims:
        """The claims of a token that opens ``scope``; raises ``Unauthorized`` (RFC 6750, 3)."""
        if authorization is None:
            raise self._challenge(scope)
        scheme, _, token = authorization.partition(" ")
        try:
            claims = self.mint.read(token.strip(), "access")
        except InvalidToken:
            raise self._challenge(scope, "invalid_token") from None
        if scheme.lower() != "bearer":
            raise self._challenge(scope, "invalid_token")
        if scope is not None and not claims.allows(scope):
            raise self._challenge(scope, "insufficient_scope")
        return claims

    def _challenge(self, scope: Scope | None, error: str | None = None) -> Unauthorized:
        realm = self.host.faults.realm or self.realm
        parameters = [("realm", realm), ("service", self.service)]
        parameters += [("scope", str(scope))] if scope is not None else []
        parameters += [("error", error)] if error is not None else []
        challenge = ",".join(f'{name}="{value}"' for name, value in parameters)
        return Unauthorized(headers={"WWW-Authenticate": f"Bearer {challenge}"})


class FrontResource(HostResource):
    """A resource of the registry's API behind the guard. A subclass says ``serve``."""

    #: What a token must open; None: any good token will do.
    scope: Scope | None = None

    def __init__(self, front: Front) -> None:
        super().__init__(front.host)
        self.front = front
        self.claims = Claims(None)

    def render(self, request: Request) -> int:
        """Say on every answer, errors included, which API this is."""
        request.setHeader("Docker-Distribution-Api-Version", "registry/2.0")
        return super().render(request)

    async def answer(self, request: Request) -> None:
        """Let a good token through to ``serve``."""
        credential = request_field(request, "Authorization")
        self.claims = self.front.authorize(credential, self.scope)
        await self.serve(request)

    async def serve(self, request: Request) -> None:
        """Write the answer; ``claims`` is what the token said."""
        raise NotImplementedError


class RepositoryResource(FrontResource):
    """A resource beneath one repository: its token must allow to pull from there."""

    def __init__(self, front: Front, repository: str) -> None:
        super().__init__(front)
        self.repository = repository
        self.scope = Scope("repository", repository, ("pull",))
