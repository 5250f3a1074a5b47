"""Token requests go to the upstream's own token server, wherever its challenge says that is.

Source: the Docker registry v2 token authentication specification, and its OAuth2 form.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from hubmirror.errors import Unsupported, UpstreamFailure
from hubmirror.question import Headers, IStream, Question, TokenRequest
from hubmirror.tokens.answers import parse_token_answer
from hubmirror.tokens.holders import Holders
from hubmirror.tokens.scopes import of_registry, with_library_prefix
from hubmirror.upstream.body import read
from hubmirror.upstream.client import Reply, UpstreamClient
from hubmirror.upstream.headers import end_to_end
from hubmirror.upstream.redirects import follow
from hubmirror.upstream.registry import Realm, RemoteRegistry

__all__ = ["OWN_SERVICE", "TokenProxy"]

#: The service that the mirror's own challenges name; a token server knows its own one alone.
OWN_SERVICE: Final = "hubmirror"
#: The longest answer that is looked at for its token, in bytes, and the longest name of a user.
MAX_ANSWER: Final = 1024 * 1024
MAX_USER: Final = 255


class TokenProxy:
    """Passes token requests on, GET and POST, and gives back what the token server says.

    ``library_prefix``: a scope for ``busybox`` asks for ``library/busybox``, as Docker Hub's
    own clients do. ``holders`` learns for whom a token was given. ``name`` is the registry's.
    """

    def __init__(
        self,
        client: UpstreamClient,
        registry: RemoteRegistry,
        holders: Holders,
        name: str = "",
        *,
        library_prefix: bool,
    ) -> None:
        self._client = client
        self._registry = registry
        self._holders = holders
        self._name = name
        self._library_prefix = library_prefix

    async def exchange(self, question: Question, request: TokenRequest) -> Reply:
        """The token server's own answer.

        When the realm in memory does not answer as a token server, the upstream is asked for
        its realm again, and where that has moved, so does the request. Raises ``NotFound``
        where the upstream gives no tokens, ``UpstreamFailure`` where it can't be reached, and
        ``Unsupported`` for a form in which a login may stand that is not for this registry.
        """
        if question.is_foreign:
            if request.is_form:
                raise Unsupported("logins for another registry are not taken: ask by GET")
            question = evolve(question, credential=None)
        parameters = of_registry(request.parameters, self._name)
        parameters = with_library_prefix(parameters, self._library_prefix)
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
        parameters = _for_realm(parameters, realm, is_foreign=question.is_foreign)
        url, encoded = realm.url, urlencode(parameters)
        if request.is_form:
            headers = (*_headers(question), ("Content-Type", "application/x-www-form-urlencoded"))
            reply = await self._client.request("POST", url, headers, encoded.encode())
        else:
            url = _with_query(url, encoded)
            reply = await follow(self._client, "GET", url, _headers(question))
        user = _user(question, request)
        # Behind a redirect it may be that the password was never shown.
        if user is not None and reply.status == 200 and reply.url == url:
            reply = await self._learned(reply, user)
        return evolve(reply, headers=end_to_end(reply.headers))

    async def _learned(self, reply: Reply, user: str) -> Reply:
        """The same answer, once it is known whose the token in it is."""
        length = reply.body.length
        if length is not None and length > MAX_ANSWER:
            return reply
        body = await read(reply.body, MAX_ANSWER)
        try:
            answer = parse_token_answer(body, "the token server")
        except UpstreamFailure:
            pass  # whatever it is, it is the client's to judge
        else:
            self._holders.learn(answer.token, user, answer.life)
        return evolve(reply, body=_Whole(body))


@implementer(IStream)
class _Whole:
    """A body that has been read."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length: int | None = len(body)

    def send_to(self, consumer: IConsumer) -> Deferred[None]:
        """Write it at once: it is in memory, and small."""
        consumer.write(self._body)
        return succeed(None)

    def discard(self) -> None:
        """There is nothing to end."""


def _user(question: Question, request: TokenRequest) -> str | None:
    """The user whose password ``request`` shows, if the token server can't see another in it."""
    if request.is_form:
        named = [value for name, value in request.parameters if name == "username"]
        kinds = [value for name, value in request.parameters if name == "grant_type"]
        is_clear = kinds == ["password"] and len(named) == 1 and question.credential is None
        user = named[0] if is_clear else None
    else:
        user = _user_of_basic(question.credential)
    return user if user and len(user) <= MAX_USER and user.isprintable() else None


def _user_of_basic(authorization: str | None) -> str | None:
    """The user in ``Basic`` credentials (RFC 7617); None for any others."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, _ = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:  # UnicodeDecodeError and binascii.Error are that
        return None
    return user if colon else None


def _for_realm(parameters: Headers, realm: Realm, *, is_foreign: bool) -> Headers:
    """``parameters`` with the realm's service in the place of our own.

    A client that was challenged by the mirror in an outage may ask for its token when that is
    over; one that was challenged on ``/v2/`` names the default registry's service, whatever it
    pulls (``is_foreign``). A token for another service would be refused.
    """
    own = ("service", OWN_SERVICE)
    service = () if realm.service is None else (("service", realm.service),)

    def is_other(pair: tuple[str, str]) -> bool:
        return pair == own or (is_foreign and pair[0] == "service")

    return tuple(each for pair in parameters for each in (service if is_other(pair) else (pair,)))


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
