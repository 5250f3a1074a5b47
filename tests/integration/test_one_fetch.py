"""One cold blob and many readers: each byte comes from the blob host once, whatever happens."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from http.client import HTTPException
from threading import Event

import pytest

from hubmirror.demo.content import Blob
from tests.integration.live_hub import LiveHub, live_hub
from tests.integration.pulling import Reader, login, read, together
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

MIB = 1 << 20
SIZE = 32 * MIB
CONTENT = random.Random(4).randbytes(SIZE)  # noqa: S311 - not a secret
BLOB = Blob.of(CONTENT)
REPOSITORY = "library/big"
PATH = f"/v2/{REPOSITORY}/blobs/{BLOB.digest}"
HTTP = ("--http", "127.0.0.1:0")

#: What 16 clients ask for: all of it, parts that overlap, and parts that are far apart.
SPANS: tuple[tuple[int, int | None] | None, ...] = (
    *(None, None, None, None),
    *((0, 9 * MIB), (MIB, 10 * MIB), (8 * MIB - 1, 8 * MIB + 1), (5 * MIB, 25 * MIB)),
    *((SIZE - 1, None), (SIZE - 70_000, None), (SIZE // 2, None), (31 * MIB, SIZE)),
    *((0, 1), (17, 100_017), (16 * MIB, 16 * MIB + 5), (24 * MIB, 31 * MIB)),
)


@pytest.fixture
def hub() -> Iterator[LiveHub]:
    """A Hub with the one blob in a public repository."""
    with live_hub() as hub:
        hub.store.add_blob(REPOSITORY, BLOB)
        yield hub


def expected(span: tuple[int, int | None] | None) -> bytes:
    """The bytes of ``span``."""
    return CONTENT if span is None else CONTENT[span[0] : span[1]]


def all_read_right(mirror: Mirror) -> None:
    """16 clients ask at once, and each gets its bytes."""
    headers = login(mirror, REPOSITORY)
    readers = [Reader(mirror, PATH, headers, span) for span in SPANS]

    bodies = together([reader.read for reader in readers])

    wrong = [span for span, body in zip(SPANS, bodies, strict=True) if body != expected(span)]
    assert not wrong


def test_sixteen_clients_one_fetch(start: MirrorStarter, hub: LiveHub) -> None:
    """Whole GETs and Ranges of a cold blob: right for all, and one blob's bytes from upstream."""
    mirror = start("serve", *HTTP, *hub.upstream)

    all_read_right(mirror)

    assert hub.blob_bytes_sent == SIZE
    assert read(mirror, PATH, {}) == CONTENT
    assert hub.blob_bytes_sent == SIZE


def test_cuts(start: MirrorStarter, hub: LiveHub) -> None:
    """Every connection to the blob host is cut after 5 MiB: no client sees that."""
    mirror = start("serve", *HTTP, *hub.upstream)
    hub.faults.blobs.cut_after = 5 * MIB

    all_read_right(mirror)

    assert hub.blob_bytes_sent <= 1.05 * SIZE


def test_stalls(start: MirrorStarter, hub: LiveHub) -> None:
    """Every connection to the blob host falls silent after 5 MiB: others take over."""
    mirror = start("serve", *HTTP, *hub.upstream, "--stall-timeout", "500ms")
    hub.faults.blobs.stall_after = 5 * MIB

    all_read_right(mirror)

    assert hub.blob_bytes_sent <= 1.05 * SIZE


def test_a_reader_that_leaves(start: MirrorStarter, hub: LiveHub) -> None:
    """Clients that leave after a MiB take nothing from the one that stays."""
    mirror = start("serve", *HTTP, *hub.upstream)
    hub.faults.blobs.bytes_per_second = 4 * MIB
    headers = login(mirror, REPOSITORY)
    leaving = [Reader(mirror, PATH, headers, stop=MIB).read for _ in range(3)]

    whole, *begun = together([Reader(mirror, PATH, headers).read, *leaving])

    assert whole == CONTENT
    assert begun == [CONTENT[:MIB]] * 3
    assert hub.blob_bytes_sent == SIZE


@pytest.mark.parametrize(
    ("taken", "finish_below", "goes_on"),
    [(MIB, "1MiB", False), (6 * MIB, "1MiB", True), (MIB, "64MiB", True)],
    ids=["large", "past half", "small"],
)
def test_the_last_reader_leaves(
    start: MirrorStarter, hub: LiveHub, taken: int, finish_below: str, goes_on: bool
) -> None:
    """A fetch that nobody reads goes on past half, or if the blob is small; else it stops.

    Either way, who comes next has what came before.
    """
    mirror = start("serve", *HTTP, *hub.upstream, "--finish-below", finish_below)
    hub.faults.blobs.bytes_per_second = 2 * MIB
    headers = login(mirror, REPOSITORY)
    assert Reader(mirror, PATH, headers, stop=taken).read() == CONTENT[:taken]

    assert (settled_bytes(hub) == SIZE) is goes_on
    hub.faults.blobs.bytes_per_second = None
    assert read(mirror, PATH, headers) == CONTENT
    assert hub.blob_bytes_sent <= 1.05 * SIZE


def settled_bytes(hub: LiveHub) -> int:
    """What the blob host has sent, once it has sent nothing for half a second."""
    sent, since = hub.blob_bytes_sent, time.monotonic()

    def is_settled() -> bool:
        nonlocal sent, since
        if hub.blob_bytes_sent != sent:
            sent, since = hub.blob_bytes_sent, time.monotonic()
        return time.monotonic() - since > 0.5

    wait_until(is_settled, "the blob host is quiet")
    return sent


def test_the_end_while_the_hub_confirms(start: MirrorStarter, hub: LiveHub) -> None:
    """A fetch ends while the Hub is asked whether another repository has the blob: no second one.

    The other's reader gets what is there by then.
    """
    other = "library/other"
    hub.store.add_blob(other, BLOB)
    mirror = start("serve", *HTTP, *hub.upstream)
    hub.faults.blobs.bytes_per_second = 16 * MIB
    headers, others = login(mirror, REPOSITORY), login(mirror, other)
    begun = Event()

    def late() -> bytes:
        begun.wait()
        hub.faults.registry.delay = 2
        return read(mirror, PATH.replace(REPOSITORY, other), others)

    first = Reader(mirror, PATH, headers, arrived=lambda _length: begun.set())

    assert together([first.read, late]) == [CONTENT, CONTENT]
    assert hub.blob_bytes_sent == SIZE


def test_parallel_ranges(start: MirrorStarter, hub: LiveHub) -> None:
    """As containerd 2 does: the whole, and ``bytes=N-`` for each chunk, each left at its end.

    A chunk in the middle comes before the front is there, and each byte comes once.
    """
    mirror = start("serve", *HTTP, *hub.upstream)
    hub.faults.blobs.bytes_per_second = 4 * MIB
    headers = login(mirror, REPOSITORY)
    chunk = SIZE // 4
    sent_by_then: dict[int, int] = {}

    def reader(start: int) -> Reader:
        def arrived(_length: int) -> None:
            sent_by_then.setdefault(start, hub.blob_bytes_sent)

        span = (start, None) if start else None
        return Reader(mirror, PATH, headers, span, chunk, arrived)

    bodies = together([reader(start).read for start in range(0, SIZE, chunk)])

    assert b"".join(bodies) == CONTENT
    assert max(sent_by_then.values()) < chunk
    assert hub.blob_bytes_sent == SIZE


@pytest.mark.parametrize(("number", "rate"), [(signal.SIGTERM, 8), (signal.SIGKILL, 2)])
def test_goes_on_after_a_restart(
    start: MirrorStarter, hub: LiveHub, number: signal.Signals, rate: int
) -> None:
    """The daemon ends in mid-fetch, five times: each time the next one has what came.

    What is not durable yet when it is killed is lost, so the Hub is slower than any disk then.
    """
    content = random.Random(5).randbytes(4 * SIZE)  # noqa: S311 - not a secret
    blob = Blob.of(content)
    path = f"/v2/{REPOSITORY}/blobs/{blob.digest}"
    hub.store.add_blob(REPOSITORY, blob)
    hub.faults.blobs.bytes_per_second = rate * MIB
    for sixths in range(1, 6):
        mirror = start("serve", *HTTP, *hub.upstream, "--shutdown-grace", "1ms")
        end_in_mid_fetch(mirror, path, sixths * blob.size // 6, number)
    hub.faults.blobs.bytes_per_second = None
    mirror = start("serve", *HTTP, *hub.upstream)

    assert read(mirror, path, login(mirror, REPOSITORY)) == content
    assert hub.blob_bytes_sent <= 1.05 * blob.size


def end_in_mid_fetch(mirror: Mirror, path: str, length: int, number: signal.Signals) -> None:
    """End the mirror once a reader of the blob at ``path`` has got so many bytes."""
    left = length

    def arrived(arrived: int) -> None:
        nonlocal left
        left -= arrived
        if left <= 0:
            mirror.program.signal(number)

    with pytest.raises((HTTPException, OSError)):
        Reader(mirror, path, login(mirror, REPOSITORY), arrived=arrived).read()
    mirror.program.wait()
