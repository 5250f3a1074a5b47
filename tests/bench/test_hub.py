"""The upstream that the caches are measured on: right answers, counted bytes, kept limits."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.content import MANIFEST_TYPE, NAME, TAG, Content
from bench.dockerd import Client, timed_pull
from bench.hub import Allowance, Server, parse_range


@contextmanager
def served(content: Content) -> Iterator[tuple[Server, Server]]:
    """Registry and blob host of ``content``."""
    blobs = Server(content.folder)
    registry = Server(content.folder, elsewhere=blobs.url)
    for server in (blobs, registry):
        server.start()
    try:
        yield registry, blobs
    finally:
        for server in (blobs, registry):
            server.shutdown()
            server.server_close()


@pytest.fixture
def content(tmp_path: Path) -> Content:
    """A content without anything."""
    return Content(tmp_path / "content")


def ask(server: Server, path: str, **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Status, body and headers of a GET."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def test_the_registry_redirects_to_the_blob_host(content: Content) -> None:
    """As the Hub does: the bytes come from elsewhere, and are counted there."""
    blob = content.blob(3000)
    with served(content) as (registry, blobs):
        status, _, headers = ask(registry, blob.path)
        _, body, _ = ask(blobs, blob.path)
        assert (status, headers["Location"]) == (307, blobs.url + blob.path)
        assert len(body) == 3000
        assert (registry.sent, blobs.sent) == (0, 3000)


def test_a_range_is_sent_alone(content: Content) -> None:
    """Only these bytes count as sent."""
    blob = content.blob(3000)
    with served(content) as (_, blobs):
        status, body, headers = ask(blobs, blob.path, Range="bytes=1000-1999")
        assert (status, len(body), blobs.sent) == (206, 1000, 1000)
        assert headers["Content-Range"] == "bytes 1000-1999/3000"


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 100)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-5", None),
        (None, None),
    ],
)
def test_ranges_end_with_the_blob(header: str | None, span: tuple[int, int] | None) -> None:
    """Of a blob of 100 bytes; what is not understood is no range."""
    assert parse_range(header, 100) == span


def test_an_allowance_is_shared() -> None:
    """Whoever takes after others waits until theirs have gone; the first goes at once."""
    waits: list[float] = []
    allowance = Allowance(1000, lambda: 50.0, waits.append)
    for length in (100, 200, 300):
        allowance.take(length)
    assert waits == pytest.approx([0.0, 0.1, 0.3])


def test_without_a_rate_nobody_waits() -> None:
    """Not even to look at the clock."""
    waits: list[float] = []
    Allowance(None, lambda: 50.0, waits.append).take(10**12)
    assert not waits


def test_an_image_is_pulled_as_dockerd_does(content: Content) -> None:
    """Manifest, config and each layer, once, whole, and through the redirects."""
    layers = [content.blob(2000 + number) for number in range(5)]
    content.image(layers)
    with served(content) as (registry, blobs):
        assert timed_pull(registry.url) > 0
        assert blobs.sent == 2000 + sum(layer.length for layer in layers)


def test_a_manifest_has_its_type_and_digest(content: Content) -> None:
    """By tag as by digest."""
    manifest = content.image([content.blob(10)])
    with served(content) as (registry, _):
        for reference in (TAG, manifest.digest):
            status, body, headers = ask(registry, f"/v2/{NAME}/manifests/{reference}")
            assert (status, len(body)) == (200, manifest.length)
            assert headers["Content-Type"] == MANIFEST_TYPE
            assert headers["Docker-Content-Digest"] == manifest.digest


def test_a_refusal_ends_a_pull(content: Content) -> None:
    """A peer that fails fast must not look fast."""
    with served(content) as (registry, _), pytest.raises(RuntimeError, match="404"):
        Client().get(f"{registry.url}/v3/")


def test_each_blob_is_another(content: Content) -> None:
    """Else a cache would have the second when it has the first."""
    assert content.blob(100).digest != content.blob(100).digest
