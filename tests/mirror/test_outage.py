"""``/v2/`` and ``/token``, with and without an upstream."""

from __future__ import annotations

import json

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.mirror.hub import ACCEPT, Hub, digest_of
from tests.registry.edge import Edge, Wire

REPOSITORY = "library/hello"
IMAGE = f"/v2/{REPOSITORY}/manifests/latest"
BLOB = f"/v2/{REPOSITORY}/blobs/{digest_of(b'layer')}"


@pytest.fixture
def warm(hub: Hub) -> Hub:
    """A public image, warmed by a client that is logged in; then the upstream is down."""
    hub.put_image(REPOSITORY, "latest", b"layer")
    for path in (IMAGE, BLOB):
        assert hub.get(path, hub.token("alice", REPOSITORY), ACCEPT).status() == 200
    hub.status = 503
    return hub


def test_a_whole_pull_without_an_upstream(warm: Hub) -> None:
    """Challenge, token, manifest, blob: all from here; nothing of ours goes upstream."""
    wire = warm.get("/v2/")
    assert wire.status() == 401
    assert 'Bearer realm="http://mirror.example:5000/token"' in wire.head()
    wire = warm.get(f"/token?scope=repository:{REPOSITORY}:pull", "Authorization: Basic eDp5")
    token = json.loads(wire.body())["token"]
    warm.asked()
    ours = f"Authorization: Bearer {token}"
    assert warm.get("/v2/", ours).status() == 200
    assert warm.get(IMAGE, ours, ACCEPT).status() == 200
    assert warm.get(BLOB, ours).body() == b"layer"
    assert warm.asked() == []


def test_any_token_is_let_on_in_an_outage(warm: Hub) -> None:
    """A 401 in the midst of a pull would be its end; a dead token reads what is public."""
    dead = "Authorization: Bearer dead:token"
    assert warm.get("/v2/", dead).status() == 200
    assert warm.get(IMAGE, dead, ACCEPT).status() == 200


def test_our_token_fetches_what_is_public_when_the_upstream_is_back(warm: Hub) -> None:
    """A miss under it goes upstream by the mirror's own anonymous token."""
    wire = warm.get(f"/token?scope=repository:{REPOSITORY}:pull")
    ours = f"Authorization: Bearer {json.loads(wire.body())['token']}"
    warm.status = None
    warm.put_image(REPOSITORY, "other", b"another layer")
    assert warm.get(f"/v2/{REPOSITORY}/manifests/other", ours, ACCEPT).status() == 200


def test_the_token_servers_refusal_is_passed_on(hub: Hub) -> None:
    """Only an upstream that can't be asked is stood in for."""
    wire = hub.get("/token", "Authorization: Basic YWxpY2U6cHc=")
    assert json.loads(wire.body())["token"].startswith("alice:")


def test_an_upstream_that_hangs_is_not_waited_for() -> None:
    """``/v2/`` answers after ``patience``."""
    hub = hanging(Edge(patience="3s", prefetch="off"))
    wire = begin(hub, "/v2/")
    assert wire.value() == b""
    hub.edge.clock.advance(3)
    assert wire.status() == 401


@pytest.mark.parametrize(("login", "seconds"), [((), 3), (("Authorization: Basic eDp5",), 10)])
def test_a_token_server_that_hangs_is_not_waited_for(login: tuple[str, ...], seconds: int) -> None:
    """Who shows no login loses nothing by a token of ours; others wait a little longer."""
    hub = hanging(Edge(patience="3s", prefetch="off"))
    wire = begin(hub, f"/token?scope=repository:{REPOSITORY}:pull", *login)
    hub.edge.clock.advance(seconds - 1)
    assert wire.value() == b""
    hub.edge.clock.advance(1)
    assert wire.status() == 200


def test_a_client_that_gives_up_leaves_the_time_out_behind() -> None:
    """Else clients that are less patient than the mirror would never get to what is kept."""
    hub = hanging(Edge(patience="60s", prefetch="off", response_timeout="30s"))
    protocol, wire = hub.edge.connect()
    protocol.dataReceived(b"GET /token HTTP/1.1\r\nHost: a\r\n\r\n")
    hub.edge.settle()
    hub.edge.clock.advance(15)
    protocol.connectionLost(Failure(ConnectionDone()))
    assert wire.value() == b""
    hub.edge.clock.advance(15)  # the token server has not answered in time
    hub.edge.clock.advance(30)  # nor the registry, when asked whether that has moved
    assert begin(hub, "/token").status() == 200


def hanging(edge: Edge) -> Hub:
    """A Hub of which something is kept, and that answers no more."""
    hub = Hub(edge)
    hub.put_image(REPOSITORY, "latest", b"layer")
    hub.get(IMAGE, hub.token("alice", REPOSITORY), ACCEPT)
    hub.hangs = True
    return hub


def begin(hub: Hub, path: str, *headers: str) -> Wire:
    """The connection of a client that has just asked for ``path``."""
    protocol, wire = hub.edge.connect()
    lines = [f"GET {path} HTTP/1.1", "Host: a", *headers, "", ""]
    protocol.dataReceived("\r\n".join(lines).encode())
    hub.edge.settle()
    return wire


def test_with_nothing_to_give_the_failure_is_told(hub: Hub) -> None:
    """A mirror that keeps nothing yet has no reason to let clients in."""
    hub.status = 503
    assert hub.get("/v2/").status() == 503
    assert hub.get("/token").status() == 502


def test_the_hubs_pull_limit_is_no_outage(hub: Hub) -> None:
    """Tokens and challenges are the upstream's own as long as it gives them."""
    hub.put_image(REPOSITORY, "latest", b"layer")
    hub.get(IMAGE, hub.token("alice", REPOSITORY), ACCEPT)
    hub.edge.quota.pulls.observe("", "100;w=21600", "0;w=21600", None)
    wire = hub.get(f"/token?scope=repository:{REPOSITORY}:pull")
    assert json.loads(wire.body())["token"] == f"anonymous:{REPOSITORY}"
    assert "auth.example" not in hub.get("/v2/").head()
    assert hub.asked()[-2:] == ["GET /token", "GET /v2/"]


@pytest.mark.parametrize("path", ["/v2/", f"/token?scope=repository:{REPOSITORY}:pull"])
def test_whom_a_limit_refuses_is_let_in_at_once(path: str) -> None:
    """Nothing is asked, nothing waited for; a spent quota is this client's own outage."""
    hub = Hub(Edge(quota=1, prefetch="off"))
    hub.put_image(REPOSITORY, "latest", b"layer")
    hub.get(IMAGE, hub.token("alice", REPOSITORY), ACCEPT)
    hub.asked()
    hub.hangs = True
    wire = begin(hub, path)
    assert wire.status() in (200, 401)
    assert b"hubmirror" in wire.value()
    assert hub.asked() == []
