"""Under whose credential a question goes upstream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from hubmirror.errors import TooManyRequests
from hubmirror.mirror.origin import SpentOrigin
from hubmirror.naming import Repository, Tag
from hubmirror.question import Client, ManifestRequest, Question
from tests.mirror.hub import ACCEPT, Hub
from tests.registry.edge import Edge

REPOSITORY = "library/hello"
IMAGE = f"/v2/{REPOSITORY}/manifests/latest"


def credentials(hub: Hub) -> list[str | None]:
    """The ``Authorization`` of each request that came for the image."""
    requests = hub.edge.upstream.requests
    return [
        headers.get("authorization", [None])[0] for _, uri, headers, _ in requests if uri == IMAGE
    ]


def test_a_clients_own_passes(hub: Hub) -> None:
    """The Worker's way."""
    hub.put_image(REPOSITORY, "latest", b"layer")
    hub.get(IMAGE, hub.token("alice", REPOSITORY), ACCEPT)
    assert credentials(hub)[0] == f"Bearer alice:{REPOSITORY}"


def test_publicity_is_asked_for_anonymously(hub: Hub) -> None:
    """A HEAD by the mirror's own anonymous token, behind the answer."""
    hub.put_image(REPOSITORY, "latest", b"layer")
    hub.get(IMAGE, hub.token("alice", REPOSITORY), ACCEPT)
    assert f"HEAD {IMAGE}" in hub.asked()
    assert credentials(hub)[-1] == f"Bearer anonymous:{REPOSITORY}"


def test_an_account_of_the_mirrors_own_serves_all(tmp_path: Path) -> None:
    """``auth = mirror``: clients need no credentials, and theirs stay here."""
    login = tmp_path / "login"
    login.write_text("alice:pw")
    login.chmod(0o600)
    hub = Hub(Edge(prefetch="off", auth="mirror", upstream_credentials=str(login)))
    hub.put_image(REPOSITORY, "latest", b"layer", readers="alice")
    assert hub.get("/v2/").status() == 200
    assert hub.get(IMAGE, ACCEPT).status() == 200
    assert hub.get(IMAGE, hub.token("bob", REPOSITORY), ACCEPT).status() == 200
    assert set(credentials(hub)) == {f"Bearer alice:{REPOSITORY}"}


def test_a_way_that_is_none_teaches_nothing(hub: Hub) -> None:
    """Whom a limit refuses learns no right by asking, and asks nobody."""
    refusal = TooManyRequests()
    way = SpentOrigin(refusal)
    repository = Repository("docker.io", REPOSITORY)
    subject = ManifestRequest(repository, Tag("latest"))
    question = Question("GET", subject, Client("192.0.2.1", "http://a"), "Bearer t")
    way.opened(question)
    for asking in (way.ask, way.as_mirror().ask, way.authorization):
        results: list[Any] = []
        Deferred.fromCoroutine(asking(question)).addBoth(results.append)
        assert results[0].value is refusal
    with pytest.raises(TooManyRequests):
        way.admit()
    assert way.spares_pulls()
    assert hub.asked() == []
