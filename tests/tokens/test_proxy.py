"""Token requests through the whole mirror, to an upstream in memory."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.registry.edge import Edge, Wire

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


def basic(login: bytes) -> str:
    """The ``Authorization`` value for this."""
    return f"Basic {b64encode(login).decode()}"


LOGIN = f"Authorization: {basic(b'alice:secret')}"
FORM = "Content-Type: application/x-www-form-urlencoded"


def granting(body: bytes, status: int = 200, **headers: str) -> Edge:
    """A mirror whose token server answers so."""
    edge = Edge()
    give = challenging(REALM)

    def answer(request: Any) -> bytes:
        given: bytes = give(request)
        if request.path != b"/token":
            return given
        request.setResponseCode(status)
        for name, value in headers.items():
            request.setHeader(name, value)
        return body

    edge.upstream.answer = answer
    return edge


def post(edge: Edge, form: str, *headers: str) -> Wire:
    """The OAuth2 form of a token request."""
    length = f"Content-Length: {len(form)}"
    return edge.get("/token", FORM, length, *headers, method="POST", body=form.encode())


def holder(edge: Edge) -> str | None:
    """Whose the token ``t`` is held to be."""
    return edge.mirror.holders.user_of("Bearer t")


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_password_that_was_taken_tells_whose_the_token_is(name: str) -> None:
    """For as long as the token lives; the answer passes as it came."""
    body = f'{{ "{name}":\t"t", "expires_in":120,"more":"\\u00e9"}}\r\n'.encode()
    edge = granting(body, Content_Type="application/json")
    wire = edge.get("/token", LOGIN)
    assert (wire.status(), wire.body()) == (200, body)
    assert f"content-length: {len(body)}" in wire.head().lower()
    edge.clock.advance(119)
    assert holder(edge) == "alice"
    edge.clock.advance(1)
    assert holder(edge) is None


@pytest.mark.parametrize(
    ("life", "seconds"),
    [("", 60), (',"expires_in":-1', 60), (',"expires_in":"9"', 60), (',"expires_in":1e9', 86400)],
)
def test_a_tokens_life_is_believed_within_reason(life: str, seconds: int) -> None:
    """A minute where there is none, by the specification; a day at most."""
    edge = granting(f'{{"token":"t"{life}}}'.encode())
    edge.get("/token", LOGIN)
    edge.clock.advance(seconds - 1)
    assert holder(edge) == "alice"
    edge.clock.advance(1)
    assert holder(edge) is None


def test_a_password_in_a_form_tells_it_too() -> None:
    """As docker asks after a login."""
    edge = granting(b'{"access_token":"t"}')
    assert post(edge, "grant_type=password&username=bob&password=pw").status() == 200
    assert holder(edge) == "bob"


@pytest.mark.parametrize(
    "authorization",
    [
        *("Bearer x", "Basic", "Basic !", "Basic YWxpY2U=", "Basic OnB3", "Digest YWxpY2U6cHc="),
        *(basic(b"a" * 300 + b":pw"), basic(b"a\xff:pw"), basic(b"a\n:pw")),
        "Basic YWxpY2U6cHc=YWxpY2U6cHc=",
    ],
)
def test_nobody_is_learned_without_a_login(authorization: str) -> None:
    """Anonymous, malformed, or with a name that is none."""
    edge = granting(b'{"token":"t"}')
    edge.get("/token?account=alice")
    edge.get("/token?account=alice", f"Authorization: {authorization}")
    assert holder(edge) is None


@pytest.mark.parametrize(
    "form",
    [
        "grant_type=refresh_token&refresh_token=r&username=bob",
        "username=bob&password=pw",
        "grant_type=password&password=pw",
        "grant_type=password&username=&password=pw",
        "grant_type=password&username=bob&username=mallory&password=pw",
        "grant_type=password&grant_type=refresh_token&username=bob&password=pw",
    ],
)
def test_a_form_that_could_mean_another_teaches_nothing(form: str) -> None:
    """No password was shown, or nobody knows whose it was."""
    edge = granting(b'{"token":"t"}')
    assert post(edge, form).status() == 200
    assert holder(edge) is None


def test_a_form_beside_a_login_teaches_nothing() -> None:
    """The token server may have taken either."""
    edge = granting(b'{"token":"t"}')
    post(edge, "grant_type=password&username=bob&password=wrong", LOGIN)
    assert holder(edge) is None


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_refusal_teaches_nothing(status: int) -> None:
    """Whatever its body says."""
    edge = granting(b'{"token":"t"}', status)
    assert edge.get("/token", LOGIN).status() == status
    assert holder(edge) is None


def test_an_answer_from_behind_a_redirect_teaches_nothing() -> None:
    """There the password was not shown: anybody would have got that token."""
    edge = granting(b"", 302, Location="https://other.example/token")
    give = edge.upstream.answer

    def answer(request: Any) -> bytes | int:
        host = request.requestHeaders.getRawHeaders("host")[0]
        return b'{"token":"t"}' if host == "other.example" else give(request)

    edge.upstream.answer = answer
    assert edge.get("/token", LOGIN).body() == b'{"token":"t"}'
    assert holder(edge) is None


@pytest.mark.parametrize(
    "body", [b"", b"no JSON", b"[]", b'{"token":1}', b"[" * 100_000, b'{"token":"a b"}', b"\xff"]
)
def test_an_answer_without_a_token_is_the_clients_to_judge(body: bytes) -> None:
    """It passes as it is."""
    edge = granting(body)
    wire = edge.get("/token", LOGIN)
    assert (wire.status(), wire.body()) == (200, body)


def test_a_long_answer_is_not_read() -> None:
    """It passes, and nothing is learned."""
    body = json.dumps({"token": "t", "more": "x" * (1 << 20)}).encode()
    edge = granting(body)
    wire = edge.get("/token", LOGIN)
    assert (wire.status(), wire.body()) == (200, body)
    assert holder(edge) is None


def test_upstream_without_tokens() -> None:
    """An upstream that asks for none has no token server: 404, and why."""
    wire = Edge().get("/token")
    assert wire.status() == 404
    assert "gives no tokens" in wire.error()["message"]
