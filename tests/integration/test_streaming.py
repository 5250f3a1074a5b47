"""Bodies stream: early, at each client's pace, and never whole when they are not."""

from __future__ import annotations

import http.client
import select
import time
from collections.abc import Sequence

import pytest

from tests.support.hub import Content
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.programs import resident_bytes
from tests.support.upstream import DIGEST, HALF, halting_registry

pytestmark = pytest.mark.integration

BLOB = f"/v2/library/x/blobs/{DIGEST}"

CLIENTS = 50
#: What a slow client reads in a tenth of a second: 10 KiB a second.
SIP = 1024


def open_blob(mirror: Mirror) -> http.client.HTTPResponse:
    """Ask for the blob that halts; returns the response, its body unread."""
    connection = mirror.connect()
    connection.request("GET", BLOB)
    return connection.getresponse()


def test_first_byte_leaves_early(start: MirrorStarter) -> None:
    """A client has the first half of a blob while the upstream still holds the second."""
    with halting_registry() as upstream:
        response = open_blob(start("serve", "--http", "127.0.0.1:0", "--upstream", upstream.url))

        assert response.read(len(HALF)) == HALF
        assert not upstream.finish.is_set()

        upstream.finish.set()
        assert response.read() == HALF


def test_client_gone_ends_the_upstream_transfer(start: MirrorStarter) -> None:
    """A client that leaves before the half of a large blob ends the transfer upstream."""
    with halting_registry() as upstream:
        large = ("--finish-below", "1KiB")
        mirror = start("serve", "--http", "127.0.0.1:0", "--upstream", upstream.url, *large)
        response = open_blob(mirror)
        response.read(16)

        response.close()

        assert upstream.client_gone.wait(5)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_upstream_breaks_off(start: MirrorStarter, is_chunked: bool) -> None:
    """A client notices that the upstream broke off, also where nobody told the length."""
    with halting_registry(is_chunked=is_chunked) as upstream:
        response = open_blob(start("serve", "--http", "127.0.0.1:0", "--upstream", upstream.url))
        response.read(16)

        upstream.break_off.set()

        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()


@pytest.mark.parametrize("mirror", ["http", "https"], indirect=True)
def test_slow_clients_cost_no_memory(mirror: Mirror, content: Content) -> None:
    """Fifty clients that read 10 KiB/s of a 200 MiB blob grow the daemon by less than 64 MiB."""
    token = mirror.bearer("library/big")
    path = f"/v2/library/big/blobs/{content.big_layer}"
    assert mirror.ask(path, {**token, "Range": "bytes=0-65535"}).status == 206
    before = resident_bytes(mirror.program.pid)

    responses = [_open(mirror, path, token) for _ in range(CLIENTS)]
    peak = max(_sip(mirror, responses) for _ in range(50))

    for response in responses:
        response.close()
    assert peak - before < 64 << 20


def _open(mirror: Mirror, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    connection = mirror.connect()
    connection.request("GET", path, headers={**headers, "Connection": "close"})
    response = connection.getresponse()
    assert response.status == 200
    return response


def _sip(mirror: Mirror, responses: Sequence[http.client.HTTPResponse]) -> int:
    """Let each client read a little within a tenth of a second; returns the daemon's RSS."""
    end = time.monotonic() + 0.1
    for response in responses:
        assert len(response.read(SIP)) == SIP
    select.select([], [], [], max(0, end - time.monotonic()))
    return resident_bytes(mirror.program.pid)
