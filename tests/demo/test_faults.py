"""What the Hub does wrong when it is told to."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.web.client import ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH

from hubmirror.demo.content import Blob
from hubmirror.demo.faults import Faults
from hubmirror.demo.hub import Hub
from hubmirror.demo.image import Image
from hubmirror.demo.store import MemoryStore
from tests.demo.conftest import NAME, PULL, Client

BIG = Blob.of(bytes(1 << 20))


class Reading(Protocol):
    """Reads a body; ``reached`` fires when ``mark`` bytes are there, ``ended`` at its end."""

    def __init__(self, mark: int) -> None:
        self.count = 0
        self.reached: Deferred[None] = Deferred()
        self.ended: Deferred[BaseException] = Deferred()
        self._mark = mark

    def dataReceived(self, data: bytes) -> None:
        self.count += len(data)
        if self.count >= self._mark and not self.reached.called:
            self.reached.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        self.ended.callback(reason.value)  # as a value: a Failure would be raised


async def read_blob(client: Client, store: MemoryStore, mark: int) -> tuple[Any, Reading]:
    """Begin to read the big blob from the blob host."""
    store.add_blob(NAME, BIG)
    location = await client.blob_location(BIG.digest)
    response = await client.http.get(location, unbuffered=True)
    reading = Reading(mark)
    response.deliverBody(reading)
    return response, reading


@pytest_twisted.ensureDeferred
async def test_requests_are_recorded(client: Client, hub: Hub) -> None:
    """Each request is in the log with its host, its answer's status, and no query."""
    await client.ask("/v2/", User_Agent="docker/1")
    await client.token(PULL, user="alice:wonderland")
    first, second = hub.requests
    assert (first.host, first.method, first.path, first.status) == ("registry", "GET", "/v2/", 401)
    assert (first.has_authorization, first.user_agent) == (False, "docker/1")
    assert (second.host, second.path, second.status) == ("tokens", "/token", 200)
    assert second.has_authorization


@pytest_twisted.ensureDeferred
async def test_next_answers(client: Client, hub: Hub) -> None:
    """So many requests to a path get a canned answer, and the next is right again."""
    hub.faults.registry.answer_next(2, 429, (("Retry-After", "7"),), b"slow down", "/v2/")
    for _ in range(2):
        answered = await client.ask("/v2/")
        assert (answered.status, answered.content) == (429, b"slow down")
        assert answered.field("Retry-After") == "7"
    assert (await client.ask("/v2/")).status == 401


def test_answers_are_for_their_path() -> None:
    """A canned answer waits for a path that holds its part."""
    faults = Faults()
    faults.answer_next(1, 500, path_part="/blobs/")
    assert faults.take("/v2/") is None
    taken = faults.take("/v2/x/blobs/y")
    assert taken is not None
    assert taken.status == 500
    assert faults.take("/v2/x/blobs/y") is None


@pytest_twisted.ensureDeferred
async def test_refused_head(client: Client, hub: Hub, image: Image) -> None:
    """The blob host refuses HEAD and serves GET."""
    hub.faults.blobs.refuse_head = True
    location = await client.blob_location(image.blobs[0].digest)
    assert (await client.ask(location, "HEAD")).status == 403
    assert (await client.ask(location)).status == 200


@pytest_twisted.ensureDeferred
async def test_redirects_go_where_they_are_told(client: Client, hub: Hub, image: Image) -> None:
    """The registry's ``Location`` and status, and a blob host that leads to itself."""
    location = await client.blob_location(image.blobs[0].digest)
    hub.faults.registry.redirect_to = "file:///etc/passwd"
    hub.faults.registry.redirect_status = 302
    path = f"/v2/{NAME}/blobs/{image.blobs[0].digest}"
    answered = await client.ask(path, Authorization=await client.bearer(PULL))
    assert (answered.status, answered.field("Location")) == (302, "file:///etc/passwd")
    hub.faults.blobs.redirect_loop = True
    looped = await client.ask(location)
    assert looped.status == 307
    assert location.endswith(looped.field("Location") or "nowhere")


@pytest_twisted.ensureDeferred
async def test_realm_moves(client: Client, hub: Hub) -> None:
    """The challenge names another realm."""
    hub.faults.registry.realm = "https://elsewhere/auth"
    challenge = (await client.ask("/v2/")).field("WWW-Authenticate")
    assert challenge == 'Bearer realm="https://elsewhere/auth",service="registry.demo"'


@pytest_twisted.ensureDeferred
async def test_digest_can_be_hidden(client: Client, hub: Hub) -> None:
    """A registry that does not tell the digest."""
    hub.faults.registry.hide_digest = True
    path = f"/v2/{NAME}/manifests/latest"
    answered = await client.ask(path, Authorization=await client.bearer(PULL))
    assert answered.status == 200
    assert answered.field("Docker-Content-Digest") is None
    assert answered.field("ETag") is None


@pytest.mark.parametrize("chunked", [False, True])
@pytest_twisted.ensureDeferred
async def test_cut_body_ends_short(
    client: Client, hub: Hub, store: MemoryStore, chunked: bool
) -> None:
    """The connection closes after so many bytes, and the client can tell."""
    hub.faults.blobs.cut_after = 300_000
    hub.faults.blobs.chunked = chunked
    response, reading = await read_blob(client, store, mark=300_000)
    reason = await reading.ended
    assert response.length == (UNKNOWN_LENGTH if chunked else BIG.size)
    assert reading.count == 300_000
    assert isinstance(reason, (ResponseFailed, PotentialDataLoss))


@pytest_twisted.ensureDeferred
async def test_stalled_body_ends_when_the_client_goes(
    client: Client, hub: Hub, store: MemoryStore
) -> None:
    """Silence after so many bytes; the connection stays open until the client leaves."""
    hub.faults.blobs.stall_after = 300_000
    _, reading = await read_blob(client, store, mark=300_000)
    await reading.reached
    assert reading.count == 300_000
    assert not reading.ended.called
    transport: Any = reading.transport
    transport.loseConnection()
    await reading.ended


@pytest_twisted.ensureDeferred
async def test_stop_cuts_stalled_transfers(client: Client, hub: Hub, store: MemoryStore) -> None:
    """A Hub that stops ends what still runs."""
    hub.faults.blobs.stall_after = 1000
    _, reading = await read_blob(client, store, mark=1000)
    await reading.reached
    await hub.stop()
    assert isinstance(await reading.ended, ResponseFailed)


@pytest_twisted.ensureDeferred
async def test_body_waits_for_its_reader(client: Client, hub: Hub, store: MemoryStore) -> None:
    """A reader that reads nothing keeps the Hub from sending a big blob into memory."""
    huge = Blob.of(bytes(64 << 20))
    store.add_blob(NAME, huge)
    response = await client.http.get(await client.blob_location(huge.digest), unbuffered=True)
    assert hub.blob_bytes_sent < huge.size
    reading = Reading(huge.size)
    response.deliverBody(reading)
    await reading.ended
    assert (reading.count, hub.blob_bytes_sent) == (huge.size, huge.size)


@pytest_twisted.ensureDeferred
async def test_slow_answer_and_slow_body(
    client: Client, hub: Hub, store: MemoryStore, reactor: Any
) -> None:
    """A delay before the answer, and a number of bytes a second."""
    hub.faults.blobs.delay = 0.05
    hub.faults.blobs.bytes_per_second = 10 << 20
    began = reactor.seconds()
    _, reading = await read_blob(client, store, mark=BIG.size)
    await reading.ended
    assert reading.count == BIG.size
    assert reactor.seconds() - began >= 0.12


@pytest_twisted.ensureDeferred
async def test_answer_always(client: Client, hub: Hub) -> None:
    """A status for everything, as often as it is asked."""
    hub.faults.registry.answer_always = 503
    for path in ("/v2/", "/v2/", "/elsewhere"):
        assert (await client.ask(path)).status == 503
    assert [seen.status for seen in hub.requests] == [503, 503, 503]
