"""Blobs."""

from __future__ import annotations

import pytest

from tests.mirror.hub import Hub, digest_of

REPOSITORY = "library/hello"
LAYER = b"".join(b"%06d" % number for number in range(1000))


def path(data: bytes = LAYER, repository: str = REPOSITORY) -> str:
    return f"/v2/{repository}/blobs/{digest_of(data)}"


@pytest.fixture
def stocked(hub: Hub) -> Hub:
    """A Hub with one public image."""
    hub.put_image(REPOSITORY, "latest", LAYER)
    return hub


def test_comes_from_the_upstream_once(stocked: Hub) -> None:
    """The second client's comes from here; both are whole."""
    alice = stocked.token("alice", REPOSITORY)
    first = stocked.get(path(), alice)
    assert (first.status(), first.body()) == (200, LAYER)
    stocked.asked()
    second = stocked.get(path(), alice)
    assert (second.status(), second.body()) == (200, LAYER)
    assert "hit" in second.head()
    assert f"GET {path()}" not in stocked.asked()


@pytest.mark.parametrize("is_warm", [False, True])
@pytest.mark.parametrize(
    ("wanted", "start", "end"), [("100-199", 100, 200), ("5990-", 5990, 6000), ("-10", 5990, 6000)]
)
def test_ranges(stocked: Hub, wanted: str, start: int, end: int, is_warm: bool) -> None:
    """Of what is kept, and of what is being fetched."""
    alice = stocked.token("alice", REPOSITORY)
    if is_warm:
        stocked.get(path(), alice)
    wire = stocked.get(path(), alice, f"Range: bytes={wanted}")
    assert (wire.status(), wire.body()) == (206, LAYER[start:end])
    assert f"Content-Range: bytes {start}-{end - 1}/{len(LAYER)}" in wire.head()


@pytest.mark.parametrize("is_warm", [False, True])
def test_a_range_beyond_the_end(stocked: Hub, is_warm: bool) -> None:
    """416, and how long the blob is."""
    alice = stocked.token("alice", REPOSITORY)
    if is_warm:
        stocked.get(path(), alice)
    wire = stocked.get(path(), alice, "Range: bytes=9000-")
    assert wire.status() == 416
    assert f"Content-Range: bytes */{len(LAYER)}" in wire.head()


def test_if_range(stocked: Hub) -> None:
    """Another validator than the digest gets the whole."""
    alice = stocked.token("alice", REPOSITORY)
    stocked.get(path(), alice)
    wire = stocked.get(path(), alice, "Range: bytes=0-1", 'If-Range: "other"')
    assert (wire.status(), wire.body()) == (200, LAYER)
    wire = stocked.get(path(), alice, "Range: bytes=0-1", f'If-Range: "{digest_of(LAYER)}"')
    assert (wire.status(), wire.body()) == (206, LAYER[:2])


def test_a_wrong_blob_is_cut(stocked: Hub) -> None:
    """Its end is never given, and nothing is kept."""
    digest = digest_of(LAYER)
    stocked.blobs[digest] = b"x" * len(LAYER)
    alice = stocked.token("alice", REPOSITORY)
    wire = stocked.get(path(), alice)
    assert wire.is_closed
    assert len(wire.body()) < len(LAYER)
    stocked.blobs[digest] = LAYER
    assert stocked.get(path(), alice).body() == LAYER


def test_a_manifest_elsewhere_gives_no_right_to_a_private_blob(hub: Hub) -> None:
    """Only the repository's own upstream does."""
    hub.put_image("team/secret", "latest", b"secret layer", readers="alice")
    hub.put_image("bob/open", "latest", b"other layer")
    secret = path(b"secret layer", "team/secret")
    assert hub.get(secret, hub.token("alice", "team/secret")).body() == b"secret layer"
    through = path(b"secret layer", "bob/open")
    for method, *headers in (("GET",), ("HEAD",), ("GET", "Range: bytes=0-3")):
        wire = hub.get(through, hub.token("bob", "bob/open"), *headers, method=method)
        assert wire.status() == 404
        assert b"secret" not in wire.value()


def test_a_blob_that_another_repository_has_too_is_confirmed_once(hub: Hub) -> None:
    """A HEAD links it there; its bytes come from here."""
    hub.put_image("library/one", "latest", b"shared layer")
    hub.put_image("library/two", "latest", b"shared layer")
    hub.get(path(b"shared layer", "library/one"), hub.token("alice", "library/one"))
    hub.asked()
    two = path(b"shared layer", "library/two")
    assert hub.get(two, hub.token("alice", "library/two")).body() == b"shared layer"
    assert f"HEAD {two}" in hub.asked()
    hub.status = 503
    assert hub.get(two, hub.token("alice", "library/two")).body() == b"shared layer"
