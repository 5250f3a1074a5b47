"""What a worker answers by itself is what the whole mirror would; all else it passes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address

from hubmirror.cache.blobs import FileBlobStore
from hubmirror.cache.files import Files
from hubmirror.cache.index import SQLiteIndex
from hubmirror.cache.looked_at import LookedAtFile
from hubmirror.cache.memory import Memory, RememberingBlobs, RememberingIndex
from hubmirror.config import load
from hubmirror.coordination.board import Board
from hubmirror.coordination.flights import IFlights
from hubmirror.coordination.leases import Lease, Leases
from hubmirror.coordination.marks import Marks
from hubmirror.fetching.fetch import IFetcher
from hubmirror.front import Shelves, compose_front
from hubmirror.mirror.elsewhere import Elsewhere, NotAtHand
from hubmirror.mirror.origin import IOrigin
from hubmirror.mirror.outage import IDoorway
from hubmirror.mirror.patience import IPatience
from hubmirror.quota.counters import ADMITTED
from hubmirror.quota.leased import LeasedQuota
from hubmirror.registry.relay import Relay
from hubmirror.registry.site import MirrorSite
from hubmirror.storage import Pools
from tests.fetching.inline import InlinePool
from tests.mirror.hub import ACCEPT, Hub, digest_of
from tests.registry.edge import Edge, Wire
from tests.registry.relaying import Other

REPOSITORY = "library/hello"
PRIVATE = "alice/secret"
LAYER = b"some layer" * 1000
IMAGE = f"/v2/{REPOSITORY}/manifests/latest"
BLOB = f"/v2/{REPOSITORY}/blobs/{digest_of(LAYER)}"
#: Fields that are of one answer alone.
OWN = ("x-request-id", "date")


class Front:
    """A worker over what a mirror has kept; what it passes on, nobody answers."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.edge = Edge(prefetch="off", folder=folder, **settings)
        self.hub = Hub(self.edge)
        clock: Any = self.edge.clock
        self.board = Board(folder / "board")
        self.seat = self.board.seats[1]
        self.leases = Leases(self.board, ADMITTED, clock.seconds)
        self.other = Other(clock)
        flags = {"data": str(folder), **settings}  # the edge calls its upstream docker.io
        self.quota = LeasedQuota(Lease(self.seat, ADMITTED, clock.seconds), NotAtHand)
        served = compose_front(
            clock,
            self.edge.now,
            load(flags, {}).config,
            _shelves(clock, folder, self.edge),
            self.board,
            self.seat,
            self.quota,
            Relay(clock, self.other),
        )
        self.site = MirrorSite(
            served.resource, clock, limits=served.limits, frontage=served.frontage
        )

    def lease(self) -> None:
        """The worker may spend."""
        self.seat.lease[2] += 1
        self.leases.collect()
        self.leases.renew(1_000_000)

    def get(self, path: str, *headers: str, method: str = "GET") -> Wire:
        """A client's request to the worker."""
        lines = [f"{method} {path} HTTP/1.1", "Host: mirror.example:5000", *headers, "", ""]
        wire = Wire("192.0.2.1")
        channel = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 40000))
        channel.makeConnection(wire)
        channel.dataReceived("\r\n".join(lines).encode("latin-1"))
        self.edge.settle()
        return wire

    def passed_on(self) -> list[bytes]:
        """The first lines of what was passed on since the last call."""
        lines, self.other.lines = self.other.lines, []
        return [line.asked().partition(b"\r\n")[0] for line in lines]

    def counted(self) -> int:
        """How many requests the worker has let through."""
        count: int = self.seat.counts[ADMITTED]
        return count


def _shelves(clock: Any, folder: Path, edge: Edge) -> Shelves:
    pool = cast(Any, InlinePool())
    rows = SQLiteIndex(clock, pool, folder, edge.now, LookedAtFile)
    blobs = FileBlobStore(folder, Files(), clock, pool, pool)
    memory = Memory(0)  # the mirror of the test tells nobody of changes
    return Shelves(
        rows,
        RememberingIndex(rows, memory),
        RememberingBlobs(blobs, memory),
        Pools(pool, pool, pool),
        memory,
    )


@pytest.fixture
def front(tmp_path: Path) -> Front:
    """After a pull of a public image and of a private one."""
    made = Front(tmp_path, tag_ttl="5m")
    made.hub.put_image(REPOSITORY, "latest", LAYER)
    made.hub.put_image(PRIVATE, "latest", b"secret", readers="alice")
    alice = made.hub.token("alice", PRIVATE)
    for path, *fields in (
        (IMAGE, ACCEPT),
        (BLOB,),
        (f"/v2/{REPOSITORY}/tags/list",),
        (f"/v2/{PRIVATE}/manifests/latest", ACCEPT, alice),
        (f"/v2/{PRIVATE}/blobs/{digest_of(b'secret')}", alice),
    ):
        fields = fields or []
        if PRIVATE not in path:
            fields = [*fields, made.hub.token("alice", REPOSITORY)]
        assert made.hub.get(path, *fields).status() == 200, path
    made.lease()
    made.hub.asked()
    return made


def told(wire: Wire) -> tuple[list[str], bytes]:
    """An answer but for what is of it alone."""
    lines = [
        line for line in wire.head().split("\r\n") if line.partition(":")[0].lower() not in OWN
    ]
    return [lines[0], *sorted(lines[1:])], wire.body()


def etag_of(data: bytes) -> str:
    """As this mirror writes it."""
    return f'"{digest_of(data)}"'


HITS: list[tuple[str, str, tuple[str, ...]]] = [
    ("GET", IMAGE, (ACCEPT,)),
    ("HEAD", IMAGE, (ACCEPT,)),
    ("GET", BLOB, ()),
    ("HEAD", BLOB, ()),
    ("GET", BLOB, ("Range: bytes=10-19",)),
    ("GET", BLOB, ("Range: bytes=-5",)),
    ("GET", BLOB, ("Range: bytes=999999-",)),
    ("GET", BLOB, ("Range: bytes=0-1,5-6",)),
    ("GET", BLOB, ("Range: bytes=10-19", f"If-Range: {etag_of(LAYER)}")),
    ("GET", BLOB, ("Range: bytes=10-19", 'If-Range: "other"')),
    ("GET", BLOB, (f"If-None-Match: {etag_of(LAYER)}",)),
    ("GET", BLOB, ("Authorization: Bearer dead",)),
    ("GET", f"/v2/{REPOSITORY}/tags/list", ()),
    ("OPTIONS", IMAGE, ()),
    ("PUT", IMAGE, ()),
    ("GET", "/v2/UPPER/manifests/x", ()),
]


@pytest.mark.parametrize(("method", "path", "fields"), HITS)
def test_hits_are_answered_as_the_whole_mirror_would(
    front: Front, method: str, path: str, fields: tuple[str, ...]
) -> None:
    """Status, fields and body; counted here, and nobody asked."""
    expected = told(front.hub.get(path, *fields, method=method))
    assert told(front.get(path, *fields, method=method)) == expected
    assert front.passed_on() == []
    assert front.hub.asked() == []
    assert front.counted() == 1
    assert [one.requests for one in front.quota.take()] == [1]


def test_a_manifest_by_digest_is_a_hit(front: Front) -> None:
    """Also where the client has it."""
    digest = front.hub.tags[REPOSITORY, "latest"]
    path = f"/v2/{REPOSITORY}/manifests/{digest}"
    for fields in ((ACCEPT,), (ACCEPT, f'If-None-Match: "{digest}"')):
        expected = told(front.hub.get(path, *fields))
        assert told(front.get(path, *fields)) == expected
    assert front.passed_on() == []
    assert expected[0][0].split()[1] == "304"


def passes_on(front: Front, path: str, *fields: str, method: str = "GET") -> None:
    """It is passed on as it came, once; and nothing of it has begun here."""
    wire = front.get(path, *fields, method=method)
    assert front.passed_on() == [f"{method} {path} HTTP/1.1".encode()]
    assert wire.value() == b""
    assert front.hub.asked() == []
    assert front.counted() == 0
    assert front.quota.take() == []


@pytest.mark.parametrize(
    "path",
    [
        "/v2/",
        "/token?service=hub&scope=repository:library/hello:pull",
        "/v2/_catalog",
        f"/v2/{REPOSITORY}/manifests/other",
        f"/v2/{REPOSITORY}/manifests/{digest_of(b'other')}",
        f"/v2/{REPOSITORY}/blobs/{digest_of(b'other')}",
        f"/v2/{REPOSITORY}/tags/list?n=1",
        f"/v2/{REPOSITORY}/referrers/{digest_of(b'other')}",
        "/v2/library/unknown/manifests/latest",
        "/v2/library/unknown/tags/list",
        f"/v2/library/unknown/blobs/{digest_of(LAYER)}",
        "/somewhere/else",
    ],
)
def test_what_is_not_at_hand_is_passed_on(front: Front, path: str) -> None:
    """The ping, tokens, what is not kept, and of what nobody knows whether it is public."""
    passes_on(front, path, ACCEPT)


@pytest.mark.parametrize("user", ["alice", "bob", ""])
def test_what_is_private_is_passed_on(front: Front, user: str) -> None:
    """Whoever asks: rights are the other process's to know."""
    fields = [front.hub.token(user, PRIVATE)] if user else []
    passes_on(front, f"/v2/{PRIVATE}/manifests/latest", ACCEPT, *fields)
    front.other.lines.clear()
    passes_on(front, f"/v2/{PRIVATE}/blobs/{digest_of(b'secret')}", *fields)


def test_a_tag_that_is_stale_is_passed_on(front: Front) -> None:
    """It has to be confirmed; what is known by its digest stays at hand."""
    front.edge.clock.advance(301)
    front.lease()
    passes_on(front, IMAGE, ACCEPT)
    assert front.get(BLOB).body() == LAYER


def test_a_listing_that_is_stale_is_passed_on(front: Front) -> None:
    """As a tag."""
    front.edge.clock.advance(301)
    front.lease()
    passes_on(front, f"/v2/{REPOSITORY}/tags/list")


def test_where_it_was_long_ago_that_it_was_public_all_is_passed_on(front: Front) -> None:
    """It may be private by now."""
    front.edge.clock.advance(400 * 86400)
    front.lease()
    passes_on(front, BLOB)


def test_a_token_that_has_a_user_is_passed_on(front: Front) -> None:
    """The other process knows whose it is, and counts it as his."""
    Marks(front.board).mark(b"marked")
    passes_on(front, BLOB, "Authorization: Bearer marked")
    assert front.get(BLOB, "Authorization: Bearer other").body() == LAYER


def test_without_a_lease_all_is_passed_on(front: Front) -> None:
    """The other process decides."""
    front.edge.clock.advance(10)
    passes_on(front, BLOB)


def test_what_the_worker_has_not_looks_at_is_no_file_left_open(front: Front) -> None:
    """A body that was found, and for which nothing was left to spend, is given back."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    while front.seat.counts[ADMITTED] < front.seat.lease[0]:
        front.seat.counts[ADMITTED] += 1
    for _ in range(20):
        front.get(BLOB)
    assert len(front.passed_on()) == 20
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


def test_stands_in_for_whatever_asks_elsewhere() -> None:
    """Each of its parts could be called."""
    elsewhere = Elsewhere()
    for interface in (IOrigin, IFlights, IFetcher, IDoorway, IPatience):
        assert interface.providedBy(elsewhere)
    assert elsewhere.running() == []
