"""Token requests go to the upstream's own token server, wherever its challenge says that is."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from attrs import evolve

from hubmirror.errors import UpstreamFailure
from hubmirror.question import Headers, Question, TokenRequest
from hubmirror.tokens.scopes import with_library_prefix
from hubmirror.upstream.client import Reply, UpstreamClient
from hubmirror.upstream.headers import end_to_end
from hubmirror.upstream.redirects import follow
from hubmirror.upstream.registry import Realm, RemoteRegistry

__all__ = ["OWN_SERVICE", "TokenProxy"]

#: The service that the mirror's own challenges name; a token server knows its own one alone.
OWN_SERVICE: Final = "hubmirror"


class TokenProxy:
    """Passes token requests on, GET and POST, and gives back what the token server says.

    ``library_prefix``: a scope for ``busybox`` asks for ``library/busybox``, as Docker Hub's
    own clients do.
    """

    def __init__(
        self, client: UpstreamClient, registry: RemoteRegistry, *, library_prefix: bool
    ) -> None:
        self._client = client
        self._registry = registry
        self._library_prefix = library_prefix

    async def exchange(self, question: Question, request: TokenRequest) -> Reply:
        """The token server's own answer.

        When the realm in memory does not answer as a token server, the upstream is asked for
        its realm again, and where that has moved, so does the request. Raises ``NotFound``
        where the upstream gives no tokens, ``UpstreamFailure`` where it can't be reached.
        """
        parameters = with_library_prefix(request.parameters, self._library_prefix)
        realm = await self._registry.realm()
        try:
            reply = await self._ask(realm, question, request, parameters)
        except UpstreamFailure:
            moved = await self._moved_from(realm)
            if moved is None:
                raise
            return await self._ask(moved, question, request, parameters)
        if reply.status not in (404, 410):
            return reply
        moved = await self._moved_from(realm)
        if moved is None:
            return reply
        reply.body.discard()
        return await self._ask(moved, question, request, parameters)

    async def _moved_from(self, realm: Realm) -> Realm | None:
        """The upstream's realm as it is now, or None where it is still ``realm``."""
        self._registry.forget_realm()
        try:
            current = await self._registry.realm()
        except UpstreamFailure:
            return None
        return None if current.url == realm.url else current

    async def _ask(
        self, realm: Realm, question: Question, request: TokenRequest, parameters: Headers
    ) -> Reply:
        encoded = urlencode(_for_realm(parameters, realm))
        if request.is_form:
            headers = (*_headers(question), ("Content-Type", "application/x-www-form-urlencoded"))
            reply = await self._client.request("POST", realm.url, headers, encoded.encode())
        else:
            url = _with_query(realm.url, encoded)
            reply = await follow(self._client, "GET", url, _headers(question))
        return evolve(reply, headers=end_to_end(reply.headers))


def _for_realm(parameters: Headers, realm: Realm) -> Headers:
    """``parameters`` with the realm's service in the place of our own.

    A client that was challenged by the mirror in an outage may ask for its token when that is
    over; a token for another service would be refused.
    """
    own = ("service", OWN_SERVICE)
    service = () if realm.service is None else (("service", realm.service),)
    return tuple(each for pair in parameters for each in (service if pair == own else (pair,)))


def _headers(question: Question) -> Headers:
    headers = [("Accept", value) for value in question.accept]
    if question.credential is not None:
        headers.append(("Authorization", question.credential))
    if question.client.user_agent is not None:
        headers.append(("User-Agent", question.client.user_agent))
    return tuple(headers)


def _with_query(url: str, encoded: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, encoded)))))
