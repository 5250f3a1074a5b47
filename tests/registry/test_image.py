"""What is an image's path, and what is none."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema_rs
import pytest

from tests.mirror.hub import Hub
from tests.registry.edge import Edge


@pytest.fixture
def hub() -> Hub:
    """With an official image, and one of a team's."""
    hub = Hub(Edge(prefetch="off"))
    hub.put_image("library/busybox", "latest", b"layer")
    hub.put_image("team/app", "v1.tar", b"layer")
    return hub


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("busybox", "busybox_latest.tar"),
        ("busybox:latest", "busybox_latest.tar"),
        ("library/busybox:latest", "busybox_latest.tar"),
        ("docker.io/busybox", "busybox_latest.tar"),
        ("docker.io/library/busybox%3Alatest", "busybox_latest.tar"),
        ("team/app:v1.tar", "team-app_v1.tar.tar"),
    ],
)
def test_names_are_read_as_people_write_them(hub: Hub, name: str, file: str) -> None:
    """The short ones, too."""
    wire = hub.get(f"/image/{name}.tar")

    assert wire.status() == 200
    assert f'Content-Disposition: attachment; filename="{file}"' in wire.head()
    assert "Content-Type: application/x-tar" in wire.head()
    assert "Accept-Ranges" not in wire.head()


def test_by_digest(hub: Hub) -> None:
    """Its file has the beginning of the digest."""
    digest = hub.tags["library/busybox", "latest"]

    wire = hub.get(f"/image/busybox@{digest}.tar")

    assert f'filename="busybox_{digest[7:19]}.tar"' in wire.head()


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/image/", 404, "/image/NAME:TAG.tar"),
        ("/image/busybox", 404, "/image/NAME:TAG.tar"),
        ("/image/busybox:latest", 404, "/image/NAME:TAG.tar"),
        ("/image/.tar", 404, "not the name"),
        ("/image/Busybox.tar", 404, "not the name"),
        ("/image/../v2/.tar", 404, "not the name"),
        ("/image/team%2Fapp:v1.tar.tar", 404, "invalid repository name"),
        ("/image/%FF.tar", 404, "not the name"),
        ("/image/ghcr.io/owner/app:1.tar", 404, "does not have the registry 'ghcr.io'"),
        ("/image/busybox@sha256:abc.tar", 404, "not the name"),
        ("/image/busybox.tar?platform=amd64", 400, "platform is one"),
        ("/image/busybox.tar?platform=linux/amd64&platform=linux/arm", 400, "platform is one"),
    ],
)
def test_other_paths(hub: Hub, path: str, status: int, words: str) -> None:
    """Are told what is wrong with them, and lead nowhere."""
    wire = hub.get(path)

    assert wire.status() == status
    assert words in wire.error()["message"]
    assert hub.asked() == []


def test_an_empty_platform_is_none(hub: Hub) -> None:
    """As a form sends it where nothing was chosen."""
    assert hub.get("/image/busybox.tar?platform=").status() == 200


def test_it_is_read_only(hub: Hub) -> None:
    """POST is refused, OPTIONS has its answer."""
    wire = hub.get("/image/busybox.tar", method="POST")
    assert wire.status() == 405
    assert "Allow: GET, HEAD, OPTIONS" in wire.head()
    assert hub.get("/image/busybox.tar", method="OPTIONS").status() == 204


def test_a_refusal_counts(hub: Hub) -> None:
    """As all requests to the API do."""
    used = hub.edge.quota.day().used

    hub.get("/image/")

    assert hub.edge.quota.day().used == used + 1


def test_platforms_are_as_described(hub: Hub) -> None:
    """By ``/openapi.json``."""
    document = json.loads(files("hubmirror.monitor").joinpath("openapi.json").read_bytes())
    reference = {"$ref": "#/components/schemas/Platforms"}
    schema = jsonschema_rs.validator_for({**reference, "components": document["components"]})

    schema.validate(json.loads(hub.get("/image/busybox.json").body()))
