"""Images packed out of what the mirror gives."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from hubmirror.cache.image_names import ImageNames
from hubmirror.mirror.packing import MAX_CONFIG, Order
from hubmirror.question import Client
from tests.mirror.hub import CONFIG, INDEX, LAYER, MANIFEST, Hub, digest_of
from tests.registry.edge import Edge, Wire, hang_up

LAYERS = [b"first layer" * 1000, b"", b"third"]


def put(hub: Hub, kind: str, document: dict[str, Any], tag: str = "1") -> str:
    """A manifest of ``team/app``; its digest."""
    body = json.dumps({"schemaVersion": 2, "mediaType": kind, **document}).encode()
    digest = digest_of(body)
    hub.manifests[digest] = (kind, body)
    hub.repositories.setdefault("team/app", set()).add(digest)
    hub.tags["team/app", tag] = digest
    return digest


def put_image(hub: Hub, layers: list[bytes], config: bytes = b"{}", kind: str = LAYER) -> str:
    """An image of these layers; its digest."""
    held = hub.repositories.setdefault("team/app", set())
    for blob in (config, *layers):
        hub.blobs[digest_of(blob)] = blob
        held.add(digest_of(blob))
    described = [
        {"mediaType": media_type, "digest": digest_of(blob), "size": len(blob)}
        for media_type, blob in ((CONFIG, config), *((kind, layer) for layer in layers))
    ]
    return put(hub, MANIFEST, {"config": described[0], "layers": described[1:]})


def put_index(hub: Hub, platforms: dict[str, str]) -> str:
    """An index of manifests by their platforms."""
    entries = []
    for platform, digest in platforms.items():
        system, _, architecture = platform.partition("/")
        kind, body = hub.manifests[digest]
        entry = {"mediaType": kind, "digest": digest, "size": len(body)}
        entries.append({**entry, "platform": {"os": system, "architecture": architecture}})
    return put(hub, INDEX, {"manifests": entries})


def files(wire: Wire) -> dict[str, bytes]:
    """The files of the tar that came, which is as long as was said."""
    assert wire.status() == 200, wire.body()
    assert f"Content-Length: {len(wire.body())}\r\n" in f"{wire.head()}\r\n"
    with tarfile.open(fileobj=io.BytesIO(wire.body())) as tar:
        found = [(entry.name, tar.extractfile(entry)) for entry in tar]
    return {name: file.read() for name, file in found if file is not None}


@pytest.mark.parametrize("cache", ["on", "off"])
def test_an_image_whole(cache: str) -> None:
    """Each file under its digest, whether it is kept or not."""
    hub = Hub(Edge(prefetch="off", cache=cache))
    digest = put_image(hub, LAYERS)

    first, again = (files(hub.get("/image/team/app:1.tar")) for _ in range(2))

    assert first == again
    named = {digest_of(content): content for content in first.values()}
    assert digest in named
    (described,) = json.loads(first["manifest.json"])
    assert [first[path] for path in described["Layers"]] == LAYERS
    assert described["RepoTags"] == ["team/app:1"]


def test_nothing_is_fetched_twice(hub: Hub) -> None:
    """What is kept comes from the cache; only what is missing is asked for."""
    put_image(hub, LAYERS)
    hub.get("/image/team/app:1.tar")
    hub.asked()

    assert hub.get("/image/team/app:1.tar").status() == 200

    assert hub.asked() == []


def test_a_head_asks_for_no_layer(hub: Hub) -> None:
    """And has the headers of the GET."""
    put_image(hub, LAYERS)

    wire = hub.get("/image/team/app:1.tar", method="HEAD")

    layers = [digest_of(layer) for layer in LAYERS]
    assert not [line for line in hub.asked() if line.rpartition("/")[2] in layers]
    assert wire.body() == b""
    got = hub.get("/image/team/app:1.tar")
    assert headers(wire) == headers(got)


def headers(wire: Wire) -> list[str]:
    """Those that are not of the one response alone."""
    fields = wire.head().split("\r\n")
    return [line for line in fields if not line.startswith(("X-Request-Id:", "Date:"))]


def test_a_platform_of_several(hub: Hub) -> None:
    """The one that was asked for; without one, the choice is told."""
    digests = {
        "linux/amd64": put_image(hub, [b"amd64"]),
        "linux/arm64": put_image(hub, [b"arm64"]),
        "unknown/unknown": put_image(hub, [b"attestation"]),
    }
    index = put_index(hub, digests)

    packed = files(hub.get("/image/team/app:1.tar?platform=linux/arm64"))
    refused = hub.get("/image/team/app:1.tar")
    absent = hub.get("/image/team/app:1.tar?platform=linux/s390x")
    told = json.loads(hub.get("/image/team/app:1.json").body())

    assert b"arm64" in packed.values()
    assert b"amd64" not in packed.values()
    assert (refused.status(), absent.status()) == (400, 404)
    for wire in (refused, absent):
        assert wire.error()["detail"]["platforms"] == ["linux/amd64", "linux/arm64"]
    assert told == {
        "image": "docker.io/team/app:1",
        "digest": index,
        "platforms": [
            {"platform": name, "digest": digests[name]} for name in ("linux/amd64", "linux/arm64")
        ],
    }


def test_an_image_without_an_index(hub: Hub) -> None:
    """Its config tells its platform, by which it is named, and may be asked for."""
    config = json.dumps({"os": "linux", "architecture": "arm", "variant": "v6"}).encode()
    digest = put_image(hub, [b"layer"], config)

    wire = hub.get("/image/team/app:1.tar?platform=linux/arm")

    assert 'filename="team-app_1_linux-arm-v6.tar"' in wire.head()
    assert hub.get("/image/team/app:1.tar?platform=linux/amd64").status() == 404
    told = json.loads(hub.get(f"/image/team/app@{digest}.json").body())
    assert told["platforms"] == [{"platform": "linux/arm/v6", "digest": digest}]


@pytest.mark.parametrize(
    "config",
    [
        *(b"{}", b"[]", b"no JSON", b'{"os": 1, "architecture": 2}'),
        b'{"os": "linux", "architecture": "../\\u0000"}',
    ],
)
def test_a_config_that_tells_no_platform(hub: Hub, config: bytes) -> None:
    """Is packed as it is."""
    put_image(hub, [b"layer"], config)

    assert config in files(hub.get("/image/team/app:1.tar")).values()
    assert json.loads(hub.get("/image/team/app:1.json").body())["platforms"][0]["platform"] is None


def test_what_cannot_be_packed(hub: Hub) -> None:
    """An index of indexes, layers that nobody gives, and other things than images."""
    index = put_index(hub, {"linux/amd64": put_image(hub, [b"layer"])})
    kind, body = hub.manifests[index]
    entry = {"mediaType": MANIFEST, "digest": index, "size": len(body)}
    put(hub, kind, {"manifests": [entry]})
    assert "index of indexes" in hub.get("/image/team/app:1.tar").error()["message"]

    put_image(hub, [b"other"], b"{ }", "application/vnd.oci.image.layer.nondistributable.v1.tar")
    other = hub.get(f"/image/team/app@{hub.tags['team/app', '1']}.tar")
    assert (other.status(), "may not give" in other.error()["message"]) == (400, True)

    digest = put(hub, "text/plain", {})
    assert "no image" in hub.get(f"/image/team/app@{digest}.tar").error()["message"]


def test_no_answer_is_the_mirrors_own(hub: Hub) -> None:
    """What is not there, and an upstream that is down."""
    put_image(hub, [b"layer"])
    assert hub.get("/image/team/app:2.tar").status() == 404
    hub.status = 500

    assert hub.get("/image/team/app:1.tar").status() == 500


def test_a_layer_that_is_not_as_it_was_told_ends_it(hub: Hub) -> None:
    """Of another size: the connection is cut, so no client takes it for whole."""
    put_image(hub, [b"layer"])
    hub.blobs[digest_of(b"layer")] = b"longer than that"

    wire = hub.get("/image/team/app:1.tar")

    assert wire.status() == 200
    assert wire.is_closed
    assert f"Content-Length: {len(wire.body())}" not in wire.head()


@pytest.mark.parametrize("told", [4, 6])
def test_a_size_that_was_told_wrong_ends_it(hub: Hub, told: int) -> None:
    """Though the layer is what its digest says: a tar of another length would be torn."""
    put_image(hub, [b"layer"])
    document = json.loads(hub.manifests[hub.tags["team/app", "1"]][1])
    document["layers"][0]["size"] = told
    put(hub, MANIFEST, document)

    wire = hub.get("/image/team/app:1.tar")

    assert wire.is_closed
    assert b"layer" not in wire.body().rpartition(b"\0")[2]


@pytest.mark.parametrize("cache", ["on", "off"])
def test_what_has_another_digest_is_refused(cache: str) -> None:
    """A manifest, or a config, whether it is kept or not: they name what they hold."""
    hub = Hub(Edge(prefetch="off", cache=cache))
    digest = put_image(hub, [b"layer"])
    hub.blobs[digest_of(b"{}")] = b"[]"
    assert hub.get("/image/team/app:1.tar").status() == 502

    hub.blobs[digest_of(b"{}")] = b"{}"
    assert hub.get("/image/team/app:1.tar").status() == 200
    hub.manifests[digest] = (MANIFEST, hub.manifests[digest][1] + b" ")
    changed = hub.get(f"/image/team/app@{digest}.tar")
    assert changed.status() == (200 if cache == "on" else 502)  # what is kept is right


def test_a_config_that_is_too_large(hub: Hub) -> None:
    """Is not read."""
    put_image(hub, [b"layer"], b" " * (MAX_CONFIG + 1))

    assert "too large" in hub.get("/image/team/app:1.tar").error()["message"]


def test_a_spent_limit_is_told_before_the_first_byte() -> None:
    """All layers are counted first: no limit ends a tar in its midst."""
    hub = Hub(Edge(prefetch="off", quota=6))
    put_image(hub, LAYERS)

    wire = hub.get("/image/team/app:1.tar")

    assert wire.status() == 429
    assert not [line for line in hub.asked() if digest_of(LAYERS[0]) in line]


def test_it_counts_as_a_pull_does() -> None:
    """A request for each manifest and blob, and all bytes that were sent."""
    hub = Hub(Edge(prefetch="off"))
    put_image(hub, LAYERS)
    hub.get("/image/team/app:1.tar")
    used = hub.edge.quota.day().used

    wire = hub.get("/image/team/app:1.tar")

    # The first question has no token yet, and what is public is anybody's.
    assert hub.edge.quota.day().used - used == 2 + len(LAYERS)
    assert len(wire.body()) > len(LAYERS[0])


def test_a_client_that_leaves_ends_it(hub: Hub) -> None:
    """While the upstream is asked for a layer."""
    put_image(hub, [b"layer"])
    hub.get("/image/team/app:1.tar", method="HEAD")
    protocol, wire = hub.edge.connect()
    hub.hangs = True

    protocol.dataReceived(b"GET /image/team/app:1.tar HTTP/1.1\r\nHost: a\r\n\r\n")
    hub.edge.settle()
    assert wire.status() == 200
    assert hub.edge.storage.fetcher.running() or hub.asked()
    hang_up(protocol)
    hub.edge.settle()

    assert hub.edge.storage.fetcher.running() == []


def test_an_order_shows_no_credential() -> None:
    """Wherever it is printed."""
    name = ImageNames("docker.io", library_prefix=True).parse("a:1")
    assert "secret" not in repr(Order(Client("", ""), name, credential="Basic secret"))
