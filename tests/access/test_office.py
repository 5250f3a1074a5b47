"""Tests of ``/token`` where the mirror is its own token server."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from hubmirror.access.office import MOST_REPOSITORIES
from hubmirror.access.refusals import Unauthorized
from hubmirror.config import Upstream
from hubmirror.question import Answer, Client, Ping, Question, TokenRequest
from tests.access.test_logins import PASSWORD, RULES, Desk, basic, robot
from tests.registry.edge import Wire


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def claims(wire: Wire) -> dict[str, Any]:
    """What the token in an answer says."""
    assert wire.status() == 200, wire.value()
    found: dict[str, Any] = jwt.decode(
        json.loads(wire.body())["token"], options={"verify_signature": False}
    )
    return found


def names(wire: Wire) -> list[str]:
    return [one["name"] for one in claims(wire)["access"]]


def post(desk: Desk, *headers: str, **form: str) -> Wire:
    body = urlencode(form).encode()
    lines = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}")
    return desk.hub.edge.get("/token", *lines, *headers, method="POST", body=body)


def test_a_get_as_docker_has_it(desk: Desk) -> None:
    """Registry and name; push, other types and nonsense are left out."""
    scopes = "scope=repository:busybox:pull,push&scope=repository:team/app:push"
    more = "scope=registry:catalog:*%20repository:A:pull%20x%20repository:team/b:*"
    wire = desk.get(f"/token?service=hubmirror&account=alice&{scopes}&{more}", basic("alice"))
    assert claims(wire)["sub"] == "alice"
    assert names(wire) == ["docker.io/library/busybox", "docker.io/team/b"]
    assert all(one["actions"] == ["pull"] for one in claims(wire)["access"])
    assert "Cache-Control: no-store" in wire.head()
    assert desk.hub.asked() == []


def test_a_post_as_oauth2_has_it(desk: Desk) -> None:
    """As containerd asks first."""
    wire = post(
        desk,
        grant_type="password",
        username="alice",
        password=PASSWORD,
        service="hubmirror",
        client_id="containerd-client",
        scope="repository:library/busybox:pull",
    )
    assert names(wire) == ["docker.io/library/busybox"]
    assert "access_token" in json.loads(wire.body())
    wrong = post(desk, grant_type="password", username="alice", password="wrong")
    assert wrong.status() == 401


@pytest.mark.parametrize("form", [{"username": "alice"}, {"password": PASSWORD}, {}])
def test_a_form_that_shows_no_password(desk: Desk, form: dict[str, str]) -> None:
    assert post(desk, grant_type="password", **form).status() == 401


def test_another_grant(desk: Desk) -> None:
    """None is given that could be refreshed."""
    wire = post(desk, grant_type="refresh_token", refresh_token="x")
    assert (wire.status(), json.loads(wire.body())["error"]) == (400, "unsupported_grant_type")


def test_nobody_gets_one_who_has_to_log_in(desk: Desk) -> None:
    """It is told as docker shows it, and spends nothing."""
    wire = desk.get("/token?service=hubmirror")
    assert (wire.status(), wire.error()["message"]) == (401, "this mirror wants to know who pulls")
    assert desk.get("/token", "Authorization: Bearer x").status() == 401
    assert desk.hub.edge.quota.day().used == 0


def test_the_rules_say_what_is_granted(tmp_path: Path) -> None:
    """To nobody who is known, too."""
    desk = Desk(tmp_path, "optional", RULES)
    query = "/token?scope=repository:library/busybox:pull%20repository:team/app:pull"
    assert names(desk.get(query)) == ["docker.io/library/busybox"]
    assert claims(desk.get(query))["sub"] == ""
    assert names(desk.get(query, basic("alice"))) == [
        "docker.io/library/busybox",
        "docker.io/team/app",
    ]


def test_a_token_fits_into_a_header(desk: Desk) -> None:
    many = "%20".join(f"repository:a/b{number}:pull" for number in range(2 * MOST_REPOSITORIES))
    wire = desk.get(f"/token?scope={many}", basic("alice"))
    assert len(names(wire)) == MOST_REPOSITORIES


def test_two_keys_are_two_tokens(desk: Desk) -> None:
    """Each has an id of its own."""
    first, second = (claims(desk.get("/token", basic("alice")))["jti"] for _ in range(2))
    assert first != second


def test_other_registries(tmp_path: Path) -> None:
    """By the name in front, as dockerd asks, and by the path of their own."""
    desk = Desk(tmp_path, upstreams=(Upstream("ghcr.io", "https://ghcr.example"),))
    scope = "scope=repository:ghcr.io/owner/app:pull"
    assert names(desk.get(f"/token?{scope}", basic("alice"))) == ["ghcr.io/owner/app"]
    own = desk.get("/token/ghcr.io?scope=repository:owner/app:pull", basic("alice"))
    assert names(own) == ["ghcr.io/owner/app"]
    wire = desk.get("/v2/ghcr.io/owner/app/manifests/latest")
    assert 'realm="http://mirror.example:5000/token"' in wire.head()
    assert 'scope="repository:ghcr.io/owner/app:pull"' in wire.head()


def test_a_robots_pass_ends_with_it(desk: Desk) -> None:
    """The client is told so, too."""
    line = robot(desk, "**", desk.hub.edge.now() + 100)
    assert json.loads(desk.get("/token", line).body())["expires_in"] == 100


def test_a_pass_for_a_certificate_holds_together_with_it_alone(desk: Desk) -> None:
    """Who is no user of a password's: nobody else could take its pass away."""
    mirror = desk.hub.edge.mirror
    subject = TokenRequest((("scope", "repository:library/busybox:pull"),))
    client = Client("192.0.2.1", "http://mirror.example", user="node-7")
    granted = answer_of(mirror.answer(Question("GET", subject, client)))
    bearer = f"Bearer {json.loads(granted)['token']}"
    asked = Question("GET", Ping(), client, bearer)
    assert mirror.access.objection(asked) is None
    assert mirror.access.user_of(asked) == "node-7"
    for other in (evolve(client, user=None), evolve(client, user="node-8")):
        objection = mirror.access.objection(evolve(asked, client=other))
        assert isinstance(objection, Unauthorized)


def answer_of(work: Coroutine[Any, Any, Answer]) -> bytes:
    """The body of an answer that is there at once."""
    found: list[Answer] = []
    Deferred.fromCoroutine(work).addCallback(found.append)
    body = found[0].body
    assert isinstance(body, bytes)
    return body
