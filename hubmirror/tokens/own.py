"""The mirror's own tokens: how it authenticates upstream on its own behalf.

Source: the Docker registry v2 token authentication specification; RFC 6750, RFC 7617.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final, cast
from urllib.parse import urlencode, urlsplit, urlunsplit

from attrs import evolve, field, frozen
from twisted.internet.interfaces import IReactorTime

from hubmirror.coordination.flights import IFlights
from hubmirror.errors import NotFound, UpstreamFailure
from hubmirror.naming import Repository, Scope
from hubmirror.question import Client, Ping, Question
from hubmirror.tokens.answers import parse_token_answer
from hubmirror.tokens.credentials import ANONYMOUS, Account, LoginStatus
from hubmirror.upstream.body import read
from hubmirror.upstream.challenge import parse_challenges
from hubmirror.upstream.client import Reply, UpstreamClient
from hubmirror.upstream.redirects import follow
from hubmirror.upstream.registry import Realm, RemoteRegistry
from hubmirror.upstream.url import origin_of

__all__ = ["OwnTokens"]

#: The largest answer of a token server, in bytes.
MAX_ANSWER: Final = 64 * 1024
#: How long before its end a token is used no more: seconds, or this share of a short life.
MARGIN: Final = 10.0
MARGIN_SHARE: Final = 0.1
#: How long an upstream that refused a repository, or asks for no token, is believed, in seconds.
BELIEVED: Final = 60.0
#: How many repositories' tokens are kept.
MOST_KEPT: Final = 10_000


class OwnTokens:
    """What the mirror itself sends as ``Authorization`` to one upstream.

    With a ``login`` (a user and a password) that is an account's, else it is anonymous.
    """

    def __init__(
        self,
        client: UpstreamClient,
        registry: RemoteRegistry,
        login: tuple[str, str] | None,
        *,
        flights: IFlights,
        clock: IReactorTime,
        now: Callable[[], float],
        user_agent: str = "hubmirror",
    ) -> None:
        self._client = client
        self._registry = registry
        self._account = None if login is None else Account(login, clock, now)
        self._flights = flights
        self._clock = clock
        self._user_agent = user_agent
        self._kept: OrderedDict[_Key, _Grant] = OrderedDict()

    async def authorization(
        self, repository: Repository, actions: tuple[str, ...] = ("pull",)
    ) -> str | None:
        """The ``Authorization`` value for ``repository``, kept until shortly before its end.

        None where the upstream asks for none, or grants none to an anonymous mirror: the
        registry itself then says what it thinks of that. Asked once for all who want it at
        the same time. Raises ``LoginRefused``, at once while a refused login is left alone,
        and ``UpstreamFailure`` where there is no usable answer.
        """
        key = (repository, actions)
        kept = self._kept.get(key)
        if kept is not None and self._clock.seconds() < kept.until:
            return kept.authorization
        asking = self._flights.join(("own token", self._user, key), partial(self._fetch, key))
        return cast("str | None", await asking)

    async def log_in(self) -> None:
        """Try the login unless it is known to be right; an anonymous mirror has none to try.

        Raises as ``authorization`` does.
        """
        if self._account is not None and not self._account.is_proven:
            self._account.admit()
            await self._log_in(self._account, await self._realm())

    def forget(self, repository: Repository) -> None:
        """The upstream did not take what it was sent for ``repository``: ask for it anew."""
        for key in [key for key in self._kept if key[0] == repository]:
            del self._kept[key]

    def status(self) -> LoginStatus:
        """How the mirror's login stands."""
        return ANONYMOUS if self._account is None else self._account.status()

    @property
    def _user(self) -> str | None:
        return None if self._account is None else self._account.user

    async def _fetch(self, key: _Key) -> str | None:
        if self._account is not None:
            self._account.admit()
        realm = await self._realm()
        try:
            grant = await self._grant(realm, key)
        except UpstreamFailure:
            self._registry.forget_realm()  # it may have moved
            raise
        self._kept.pop(key, None)
        self._kept[key] = grant
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return grant.authorization

    async def _realm(self) -> Realm | None:
        try:
            return await self._registry.realm()
        except NotFound:
            return None

    async def _grant(self, realm: Realm | None, key: _Key) -> _Grant:
        account = self._account
        if account is None:
            return await self._anonymous(realm, key)
        if not account.is_proven or realm is None:
            general = await self._log_in(account, realm)
            if realm is None:
                return general
        try:
            return await self._ask(realm, account, key)
        except _Refused:
            # Some token servers refuse a repository as others refuse a password. Where it was
            # not the password, the registry shall say what a token for no repository opens.
            account.doubt()
            return self._for_a_while(await self._log_in(account, realm))

    async def _anonymous(self, realm: Realm | None, key: _Key) -> _Grant:
        if realm is None:
            return self._for_a_while(_NOTHING)
        try:
            return await self._ask(realm, None, key)
        except _Refused:
            return self._for_a_while(_NOTHING)

    async def _log_in(self, account: Account, realm: Realm | None) -> _Grant:
        """What the account is given for no repository in particular, as in ``docker login``."""
        account.admit()
        key = ("own login", account.user, None if realm is None else realm.url)
        login = self._flights.join(key, partial(self._try_login, account, realm))
        return cast("_Grant", await login)

    async def _try_login(self, account: Account, realm: Realm | None) -> _Grant:
        with account.trying():
            try:
                if realm is None:
                    return await self._present(account)
                grant = await self._ask(realm, account, None)
            except _Refused as refusal:
                raise account.refused(refusal.host, refusal.status) from None
            account.accepted(origin_of(realm.url).host)
            return grant

    async def _present(self, account: Account) -> _Grant:
        """The account's own ``Basic`` value, where the upstream challenges for it."""
        reply = await self._ping(None)
        if reply.status != 401 or not _challenges_basic(reply):
            return self._for_a_while(_NOTHING)
        reply = await self._ping(account.authorization)
        host = origin_of(reply.url).host
        if reply.status in (401, 403):
            raise _Refused(host, reply.status)
        if reply.status != 200:
            raise UpstreamFailure(f"{host} answered {reply.status} to the mirror's own login")
        account.accepted(host)
        return self._for_a_while(_Grant(account.authorization, math.inf))

    async def _ping(self, authorization: str | None) -> Reply:
        client = Client(address="", public_url="", user_agent=self._user_agent)
        question = Question("GET", Ping(), client, authorization)
        reply = await self._registry.ask(question)
        reply.body.discard()
        return reply

    async def _ask(self, realm: Realm, account: Account | None, key: _Key | None) -> _Grant:
        """A token of ``realm`` for ``key``, None for no repository; raises ``_Refused``."""
        headers = [("Accept", "application/json"), ("User-Agent", self._user_agent)]
        if account is not None:
            headers.append(("Authorization", account.authorization))
        asked = self._clock.seconds()
        reply = await follow(self._client, "GET", _token_url(realm, key), tuple(headers))
        host = origin_of(reply.url).host
        if reply.status != 200:
            reply.body.discard()
            if reply.status in (401, 403):
                raise _Refused(host, reply.status)
            raise UpstreamFailure(
                f"{host} answered {reply.status} when asked for a token",
                headers=_retry_after(reply),
            )
        answer = parse_token_answer(await read(reply.body, MAX_ANSWER), host)
        margin = min(MARGIN, MARGIN_SHARE * answer.life)
        return _Grant(f"Bearer {answer.token}", asked + answer.life - margin)

    def _for_a_while(self, grant: _Grant) -> _Grant:
        return evolve(grant, until=min(grant.until, self._clock.seconds() + BELIEVED))


_Key = tuple[Repository, tuple[str, ...]]


@frozen
class _Grant:
    """What to send, and until when on the reactor's clock."""

    authorization: str | None = field(repr=False)
    until: float


_NOTHING: Final = _Grant(None, math.inf)


class _Refused(Exception):
    """The upstream does not give what was asked, or not to this account."""

    def __init__(self, host: str, status: int) -> None:
        super().__init__(host, status)
        self.host = host
        self.status = status


def _token_url(realm: Realm, key: _Key | None) -> str:
    parameters = [] if realm.service is None else [("service", realm.service)]
    if key is not None:
        repository, actions = key
        parameters.append(("scope", str(Scope("repository", repository.name, actions))))
    parts = urlsplit(realm.url)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return urlunsplit(parts._replace(query=query))


def _challenges_basic(reply: Reply) -> bool:
    values = (value for name, value in reply.headers if name.lower() == "www-authenticate")
    return any(challenge.is_scheme("Basic") for challenge in parse_challenges(values))


def _retry_after(reply: Reply) -> dict[str, str]:
    value = reply.header("Retry-After")
    return {} if value is None else {"Retry-After": value}
