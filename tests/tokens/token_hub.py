"""A registry and its token server in memory, and the mirror's own tokens from it."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from attrs import frozen
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from hubmirror.coordination.flights import Flights
from hubmirror.naming import Repository
from hubmirror.tokens.own import OwnTokens
from hubmirror.upstream.client import TimeLimits, UpstreamClient, http_client
from hubmirror.upstream.pacing import Pacing
from hubmirror.upstream.registry import RemoteRegistry

__all__ = ["BUSYBOX", "EPOCH", "Asked", "TokenHub", "outcome", "repository"]

#: What the wall clock says when the test's clock says 0.
EPOCH = 1_700_000_000.0

BEARER = 'Bearer realm="https://auth.example/token",service="hub"'


def repository(name: str) -> Repository:
    """A repository of the Hub."""
    return Repository("docker.io", name)


BUSYBOX = repository("library/busybox")


@frozen
class Asked:
    """A request: its host, its path, its first values of the query, and who says to ask."""

    host: str
    path: str
    query: dict[str, str]
    authorization: str | None

    @property
    def login(self) -> str | None:
        """``user:password``, where they came."""
        scheme, _, value = (self.authorization or "").partition(" ")
        return b64decode(value).decode() if scheme == "Basic" else None


class TokenHub(Resource):
    """``registry.example`` challenges on ``/v2/``; ``auth.example`` gives numbered tokens.

    ``login`` is the only right one; a request without one is anonymous. ``answer``, when set,
    writes the token server's responses instead. While ``is_slow``, token requests wait for
    ``release``.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.challenge: str | None = BEARER
        self.login = "mirror:right"
        self.refused_scopes: dict[str, int] = {}
        self.grant: dict[str, object] = {"expires_in": 300}
        self.answer: Callable[[Any], bytes] | None = None
        self.asked: list[Asked] = []
        self.is_slow = False
        self._given = 0
        self._held: list[Any] = []
        self._agent = RequestTraversalAgent(self)
        self._client = UpstreamClient(
            http_client(self._agent), self.clock, TimeLimits(30, 30), Pacing(self.clock), 0
        )

    def tokens(self, login: tuple[str, str] | None = None) -> OwnTokens:
        """The mirror's own tokens from here, with an account or without."""
        return OwnTokens(
            self._client,
            RemoteRegistry(self._client, "https://registry.example"),
            login,
            flights=Flights(),
            clock=self.clock,
            now=self.now,
        )

    def now(self) -> float:
        """The wall clock, which goes with the test's."""
        return EPOCH + self.clock.seconds()

    def token_requests(self) -> list[Asked]:
        """What the token server was asked."""
        return [asked for asked in self.asked if asked.host == "auth.example"]

    def release(self, *, is_slow: bool = False) -> None:
        """Answer the token requests that wait; those to come wait where ``is_slow``."""
        self.is_slow = is_slow
        held, self._held = self._held, []
        for request in held:
            if not request._disconnected:
                request.write(self._give(request))
                request.finish()
        self._agent.flush()

    def render(self, request: Any) -> Any:
        """Note the request, and answer it."""
        host = request.requestHeaders.getRawHeaders("host")[0]
        query = {name.decode(): values[0].decode() for name, values in request.args.items()}
        asked = Asked(host, request.path.decode(), query, request.getHeader("authorization"))
        self.asked.append(asked)
        if host == "registry.example":
            return self._ping(request, asked)
        if self.is_slow:
            self._held.append(request)
            return NOT_DONE_YET
        return self._give(request)

    def _ping(self, request: Any, asked: Asked) -> bytes:
        if self.challenge is None or asked.login == self.login:
            return b"{}"
        request.setResponseCode(401)
        request.setHeader("WWW-Authenticate", self.challenge)
        return b"{}"

    def _give(self, request: Any) -> bytes:
        if self.answer is not None:
            return self.answer(request)
        login = request.getUser().decode(), request.getPassword().decode()
        scope = request.args.get(b"scope", [b""])[0].decode()
        if login != ("", "") and ":".join(login) != self.login:
            request.setResponseCode(401)
            return b'{"details":"incorrect username or password"}'
        if scope in self.refused_scopes:
            request.setResponseCode(self.refused_scopes[scope])
            return b'{"errors":[{"code":"DENIED"}]}'
        self._given += 1
        return json.dumps({"token": f"t{self._given}", **self.grant}).encode()


def outcome(deferred: Deferred[Any]) -> list[Any]:
    """A list that will hold what ``deferred`` fires with, or its failure."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    return results
