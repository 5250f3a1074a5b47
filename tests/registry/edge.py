"""A whole mirror in memory: real requests in, real parsers, an upstream that is a Resource."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from attrs import evolve
from treq.testing import RequestTraversalAgent
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from hubmirror import config as configuration
from hubmirror.admission import compose_admission
from hubmirror.cache.image_names import ImageNames
from hubmirror.cache.memory import Memory, RememberingBlobs, RememberingIndex
from hubmirror.config import Config, load
from hubmirror.connecting import Connected
from hubmirror.fetching.fetch import FetchLimits
from hubmirror.policy import compose_policy
from hubmirror.quota.books import MemoryBooks
from hubmirror.quota.history import MemoryHistory
from hubmirror.quota.ledger import MemoryLedger
from hubmirror.quota.quota import Quota
from hubmirror.quota.rules import Rules
from hubmirror.registry.api import Api, Token
from hubmirror.registry.channel import Limits
from hubmirror.registry.image import Image
from hubmirror.registry.root import Root
from hubmirror.registry.search import Search
from hubmirror.registry.site import Frontage, MirrorSite
from hubmirror.sites import names_of
from hubmirror.storage import Pools, Room, Storage
from hubmirror.transport.bodies import Bodies
from hubmirror.upstream.client import TimeLimits, UpstreamClient, http_client
from hubmirror.upstream.pacing import Pacing
from hubmirror.upstream.registry import RemoteRegistry
from tests.fetching.inline import InlinePool

DAY = 86400


class Wire(StringTransport):
    """One client's connection, as the server's transport; what is sent stays readable."""

    def __init__(self, peer: str) -> None:
        super().__init__(
            hostAddress=IPv4Address("TCP", "127.0.0.1", 5000),
            peerAddress=IPv4Address("TCP", peer, 40000),
        )
        self.is_closed = False
        self.is_half_closed = False

    def loseConnection(self) -> None:
        self.is_closed = True

    def abortConnection(self) -> None:
        self.is_closed = True

    def loseWriteConnection(self) -> None:
        self.is_half_closed = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing waits here."""

    @property
    def hung_up(self) -> bool:
        """Whether the server will say no more."""
        return self.is_closed or self.is_half_closed

    def status(self) -> int:
        """The status of the first response."""
        return int(self.value().split(b" ", 2)[1])

    def head(self) -> str:
        """The first response's status line and headers."""
        head: bytes = self.value().partition(b"\r\n\r\n")[0]
        return head.decode("latin-1")

    def body(self) -> bytes:
        """What follows the first response's headers."""
        body: bytes = self.value().partition(b"\r\n\r\n")[2]
        return body

    def error(self) -> dict[str, Any]:
        """The registry error that the first response holds."""
        error: dict[str, Any] = json.loads(self.body())["errors"][0]
        return error


class Upstream(Resource):
    """The registry and token server behind the mirror: ``answer`` writes each response."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[str, str, dict[str, list[str]], bytes]] = []
        self.answer: Callable[[Any], bytes | int] = lambda _request: b""

    def render(self, request: Any) -> Any:
        """Note the request, then answer it."""
        headers = {
            name.decode().lower(): [value.decode("latin-1") for value in values]
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        self.requests.append(
            (request.method.decode(), request.uri.decode(), headers, request.content.read())
        )
        return self.answer(request)


class InlineClock(Clock):
    """A clock that also does at once what threads report."""

    def callFromThread(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        work(*args, **kwargs)


class Edge:
    """The whole mirror over an in-memory upstream and a clock; what it keeps is on the disk.

    Its default registry is called docker.io, ``upstreams`` are others, and one Resource answers
    for all. ``settings`` are the configuration's, ``rules`` the quota's in the place of ``quota``.
    Only threads are missing: their work is done at once. ``is_quick``: whether the channel may
    answer by itself; ``remembers``: whether what was read from the disk is kept in memory.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        frontage: Frontage | None = None,
        quota: int = 0,
        rules: Rules | None = None,
        library_prefix: bool = True,
        pages: dict[bytes, IResource] | None = None,
        now: Callable[[], float] | None = None,
        folder: Path | None = None,
        is_quick: bool = True,
        remembers: bool = False,
        upstreams: tuple[configuration.Upstream, ...] = (),
        allow_upstreams: tuple[str, ...] = (),
        **settings: str,
    ) -> None:
        self.clock = InlineClock()
        self.upstream = Upstream()
        self._agent = RequestTraversalAgent(self.upstream)
        self._folder = TemporaryDirectory() if folder is None else None
        data = folder or Path(cast("TemporaryDirectory[str]", self._folder).name)
        flags = {
            "upstream": "https://registry.example",
            "data": str(data),
            "library_prefix": str(library_prefix).lower(),
            **settings,
        }
        config = load(flags, {}).config
        default = configuration.Upstream("docker.io", config.upstream, is_default=True)
        config = evolve(config, upstreams=(default, *upstreams), allow_upstreams=allow_upstreams)
        self.quota = Quota(
            rules or Rules(per_day=quota),
            MemoryLedger(),
            MemoryHistory(),
            MemoryBooks(),
            now or self.now,
        )
        client = UpstreamClient(
            http_client(self._agent),
            self.clock,
            TimeLimits(30, 30),
            Pacing(self.clock),
            0,
            tally=self.quota.tally,
        )
        self.storage = _storage(self.clock, data, self.now)
        if remembers:
            _remember(self.storage)

        def connect(towards: Config) -> Connected:
            registry = RemoteRegistry(client, towards.upstream)
            return Connected(client, registry, lambda: succeed(None))

        self.policy = policy = compose_policy(
            self.clock,
            self.now,
            config,
            self.quota,
            self.storage,
            connect,
            admission=compose_admission(
                config,
                names_of(config),
                self.now,
                self.clock.seconds,
                lambda work, *what: succeed(work(*what)),
            ),
        )
        self.mirror = policy.mirror
        registries = config.registries
        names = ImageNames(registries.default, library_prefix)
        bodies = Bodies(lambda fd, size, offset: succeed(os.pread(fd, size, offset)))
        children = {
            b"v1": Search(policy.mirror, bodies, registries),
            b"v2": Api(policy.mirror, bodies, registries),
            b"image": Image(policy.mirror, bodies, registries, names),
            b"token": Token(policy.mirror, bodies, registries),
            **(pages or {}),
        }
        root = Root(children)
        if not is_quick:
            root.api = None
        self.site = MirrorSite(
            root, self.clock, limits=limits or Limits(), frontage=frontage or Frontage()
        )

    def now(self) -> float:
        """The wall clock: it goes with the clock."""
        return 20000.5 * DAY + self.clock.seconds()

    def settle(self) -> None:
        """Let everything run that can."""
        for _ in range(20):
            self._agent.flush()
            self.clock.advance(0)

    def connect(self, peer: str = "192.0.2.1") -> tuple[Any, Wire]:
        """A new connection: the server's protocol and what the client sees."""
        wire = Wire(peer)
        protocol = self.site.buildProtocol(IPv4Address("TCP", peer, 40000))
        protocol.makeConnection(wire)
        return protocol, wire

    def send(self, data: bytes, peer: str = "192.0.2.1") -> Wire:
        """Send ``data`` on a new connection and let everything run that can."""
        protocol, wire = self.connect(peer)
        protocol.dataReceived(data)
        self.settle()
        return wire

    def hang(
        self, data: bytes = b"GET /v2/a/tags/list HTTP/1.1\r\nHost: a\r\n\r\n"
    ) -> tuple[Any, Wire]:
        """A connection whose request the upstream never answers."""
        self.upstream.answer = lambda _request: NOT_DONE_YET
        protocol, wire = self.connect()
        protocol.dataReceived(b"GET /v2/a/tags/list HTTP/1.1\r\nHost: a\r\n\r\n")
        return protocol, wire

    def get(self, path: str, *headers: str, method: str = "GET", body: bytes = b"") -> Wire:
        """One request with a Host, ``headers`` as lines."""
        lines = [f"{method} {path} HTTP/1.1", "Host: mirror.example:5000", *headers, "", ""]
        return self.send("\r\n".join(lines).encode("latin-1") + body)


def hang_up(protocol: Any) -> None:
    """The client goes away."""
    protocol.connectionLost(Failure(ConnectionDone()))


def _remember(storage: Storage) -> None:
    """As a daemon's storage does: what is in memory is there at once."""
    memory = Memory(2**26)
    layers: Any = storage
    layers.index = RememberingIndex(storage.index, memory)
    layers.blobs = RememberingBlobs(storage.blobs, memory)


def _storage(clock: InlineClock, folder: Path, now: Callable[[], float]) -> Storage:
    pool: Any = InlinePool()
    storage = Storage(clock, folder, now, FetchLimits(), Pools(pool, pool, pool), Room(2**40, 0))
    opened: list[object] = []
    Deferred.fromCoroutine(storage.open()).addBoth(opened.append)
    assert opened == [None], opened
    return storage
