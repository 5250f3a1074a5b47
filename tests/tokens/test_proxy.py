"""Token requests through the whole mirror, to an upstream in memory."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qsl

from tests.registry.edge import Edge

REALM = "https://auth.example/token"


def challenging(realm: str) -> Any:
    """An upstream that names ``realm`` and gives tokens on any path but ``/v2/``."""

    def answer(request: Any) -> bytes:
        if request.path == b"/v2/":
            request.setResponseCode(401)
            request.setHeader("WWW-Authenticate", f'Bearer realm="{realm}",service="hub"')
            return b"{}"
        request.setHeader("Set-Cookie", "session=1")
        request.setHeader("Content-Type", "application/json")
        return json.dumps({"token": "t", "path": request.path.decode()}).encode()

    return answer


def test_passes_on_to_the_upstreams_realm() -> None:
    """The realm comes from the challenge, the query and credentials from the client."""
    edge = Edge()
    edge.upstream.answer = challenging(REALM)
    basic = b64encode(b"alice:secret").decode()
    wire = edge.get(
        "/token?service=hub&scope=repository%3Abusybox%3Apull&account=alice",
        f"Authorization: Basic {basic}",
        "Accept: application/json",
    )
    assert wire.status() == 200
    assert json.loads(wire.body())["token"] == "t"
    assert "Set-Cookie" not in wire.head()
    ping, exchange = edge.upstream.requests
    assert ping[1] == "/v2/"
    assert "authorization" not in ping[2]
    method, uri, headers, _ = exchange
    path, _, query = uri.partition("?")
    assert (method, path) == ("GET", "/token")
    assert parse_qsl(query) == [
        ("service", "hub"),
        ("scope", "repository:library/busybox:pull"),
        ("account", "alice"),
    ]
    assert headers["host"] == ["auth.example"]
    assert headers["authorization"] == [f"Basic {basic}"]


def test_the_mirrors_own_service_is_the_realms() -> None:
    """Who was challenged by the mirror itself, in an outage, gets a good token after it."""
    edge = Edge()
    edge.upstream.answer = challenging(REALM)
    edge.get("/token?service=hubmirror&scope=repository%3Abusybox%3Apull")
    query = edge.upstream.requests[-1][1].partition("?")[2]
    assert parse_qsl(query) == [("service", "hub"), ("scope", "repository:library/busybox:pull")]


def test_remembers_the_realm() -> None:
    """The second request needs no ping."""
    edge = Edge()
    edge.upstream.answer = challenging(REALM)
    edge.get("/token")
    edge.get("/token")
    assert [request[1] for request in edge.upstream.requests] == ["/v2/", "/token", "/token"]


def test_passes_a_form_on_with_its_scope_mended() -> None:
    """The OAuth2 form of it: credentials in the body."""
    edge = Edge()
    edge.upstream.answer = challenging(REALM)
    form = b"grant_type=password&username=a&password=p%26q&scope=repository%3Abusybox%3Apull"
    wire = edge.get(
        "/token",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(form)}",
        method="POST",
        body=form,
    )
    assert wire.status() == 200
    method, _, headers, body = edge.upstream.requests[-1]
    assert method == "POST"
    assert headers["content-type"] == ["application/x-www-form-urlencoded"]
    assert dict(parse_qsl(body.decode())) == {
        "grant_type": "password",
        "username": "a",
        "password": "p&q",
        "scope": "repository:library/busybox:pull",
    }


def test_an_error_comes_back_as_it_was() -> None:
    """A wrong password is the token server's to refuse, in its own words."""
    edge = Edge()
    give = challenging(REALM)

    def answer(request: Any) -> bytes:
        body: bytes = give(request)
        if request.path == b"/token":
            request.setResponseCode(401)
            request.setHeader("WWW-Authenticate", 'Basic realm="auth"')
            return b'{"details":"incorrect username or password"}'
        return body

    edge.upstream.answer = answer
    wire = edge.get("/token", "Authorization: Basic eDp5")
    assert wire.status() == 401
    assert wire.body() == b'{"details":"incorrect username or password"}'
    assert 'Basic realm="auth"' in wire.head()


def test_asks_for_the_realm_again_when_it_has_moved() -> None:
    """A token server that is no more at the remembered realm is looked for anew."""
    edge = Edge()
    edge.upstream.answer = challenging(REALM)
    edge.get("/token")
    moved = challenging("https://auth.example/v2/auth")

    def answer(request: Any) -> bytes:
        if request.path == b"/token":
            request.setResponseCode(404)
            return b"gone"
        body: bytes = moved(request)
        return body

    edge.upstream.answer = answer
    wire = edge.get("/token?service=hub")
    assert json.loads(wire.body())["path"] == "/v2/auth"
    assert edge.upstream.requests[-1][1] == "/v2/auth?service=hub"


def test_upstream_without_tokens() -> None:
    """An upstream that asks for none has no token server: 404, and why."""
    wire = Edge().get("/token")
    assert wire.status() == 404
    assert "gives no tokens" in wire.error()["message"]
