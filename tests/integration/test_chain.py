"""A mirror before a mirror: each keeps for itself, and an outage of the origin shows in neither."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from hubmirror.demo.image import Image, build_image, hello_layer, random_layer
from tests.integration.live_hub import LiveHub, live_hub
from tests.integration.pulling import login, pull
from tests.support.mirror import Mirror, start_mirror
from tests.support.programs import Program

pytestmark = pytest.mark.integration

HTTP = ("--http", "127.0.0.1:0")
#: Every answer by tag is confirmed upstream, if that can be.
ALWAYS_ASKED = ("--tag-ttl", "0", "--stale-while-revalidate", "0")
REPOSITORY, SECRET, TAG = "library/chained", "team/secret", "1.0"


class Starter(Protocol):
    """Starts a mirror of ``upstream`` with a data folder called ``name``."""

    def __call__(self, name: str, upstream: str, *options: str) -> Mirror: ...


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """An image with a layer that is worth several connections."""
    return build_image(
        {"amd64": [hello_layer("amd64"), random_layer(tmp_path / "layer", 20 << 20)]}
    )


@pytest.fixture
def hub(image: Image) -> Iterator[LiveHub]:
    """A Hub with ``image``, once for all and once for alice."""
    with live_hub({SECRET: frozenset({"alice"})}) as hub:
        for repository in (REPOSITORY, SECRET):
            hub.store.add_image(repository, TAG, image)
        yield hub


@pytest.fixture
def start_named(tmp_path: Path) -> Iterator[Starter]:
    """Start mirrors that end with the test."""
    started: list[Mirror] = []

    def start(name: str, upstream: str, *options: str) -> Mirror:
        known = ("--upstream", upstream, "--library-prefix", "true")
        mirror = start_mirror("serve", tmp_path / name, *HTTP, *known, *options)
        started.append(mirror)
        return mirror

    try:
        yield start
    finally:
        for mirror in started:
            mirror.program.stop()
    for mirror in started:
        assert "Traceback" not in mirror.program.text(), mirror.program.text()


def blob_bytes(image: Image) -> int:
    """The size of its blobs."""
    return sum(blob.size for blob in image.blobs)


def test_hubmirror_before_hubmirror(start_named: Starter, hub: LiveHub, image: Image) -> None:
    """The origin is asked once; without it both mirrors still serve, also a third one that is new.

    A private image goes through both to its user alone.
    """
    digest = str(image.index.digest)
    inner = start_named("inner", hub.url, *ALWAYS_ASKED)
    outer = start_named("outer", inner.url, *ALWAYS_ASKED)

    assert pull(outer, REPOSITORY, TAG, login(outer, REPOSITORY)) == digest
    assert hub.blob_bytes_sent == blob_bytes(image)
    assert pull(inner, REPOSITORY, TAG, {}) == digest
    assert pull(outer, REPOSITORY, TAG, {}) == digest
    assert hub.blob_bytes_sent == blob_bytes(image)
    assert pull(outer, SECRET, TAG, login(outer, SECRET, "alice")) == digest
    for repository in (SECRET, "team/unknown"):
        path = f"/v2/{repository}/manifests/{TAG}"
        for token in (login(outer, repository, "bob"), login(outer, repository)):
            assert outer.ask(path, token).status == 401

    inner.program.stop()
    hub.vanish()
    again = start_named("inner", hub.url, *ALWAYS_ASKED)
    third = start_named("third", again.url, *ALWAYS_ASKED)
    assert pull(third, REPOSITORY, TAG, login(third, REPOSITORY)) == digest

    again.program.stop()
    outer.program.stop()
    outer = start_named("outer", inner.url, *ALWAYS_ASKED)
    assert pull(outer, REPOSITORY, TAG, login(outer, REPOSITORY)) == digest
    assert pull(third, REPOSITORY, TAG, {}) == digest


@pytest.fixture
def proxy(hub: LiveHub, tmp_path: Path) -> Iterator[str]:
    """The URL of Debian's ``docker-registry`` as a pull-through cache of the Hub."""
    folder = tmp_path / "registry"
    folder.mkdir()
    (folder / "config.yml").write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/storage}}}}\n"
        "http: {addr: '127.0.0.1:0'}\n"
        f"proxy: {{remoteurl: '{hub.url}'}}\n"
    )
    program = Program(
        ["docker-registry", "serve", folder / "config.yml"], folder / "log", cwd=folder
    )
    try:
        yield f"http://{program.wait_for_line(r'listening on (127[^ ]+:[0-9]+)')[1]}"
    finally:
        program.stop()


def test_hubmirror_before_docker_registry(
    start_named: Starter, hub: LiveHub, image: Image, proxy: str
) -> None:
    """Through a pull-through cache of another make; then without the origin, after a restart."""
    digest = str(image.index.digest)
    mirror = start_named("mirror", proxy, *ALWAYS_ASKED)
    assert pull(mirror, REPOSITORY, TAG, {}) == digest

    hub.vanish()
    assert pull(mirror, REPOSITORY, TAG, {}) == digest
    mirror.program.stop()
    mirror = start_named("mirror", proxy, *ALWAYS_ASKED)
    assert pull(mirror, REPOSITORY, TAG, {}) == digest
