"""The API over HTTP: what goes upstream, and what comes back."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from hubmirror.registry.site import Frontage
from tests.registry.edge import Edge

HEX = "0123456789abcdef" * 4
BLOB = f"/v2/library/busybox/blobs/sha256:{HEX}"


def answering(status: int, body: bytes, **headers: str) -> Any:
    """An upstream that says the same to everybody; ``_`` in a header's name is ``-``."""

    def answer(request: Any) -> bytes:
        request.setResponseCode(status)
        for name, value in headers.items():
            request.setHeader(name.replace("_", "-"), value)
        return body

    return answer


def test_ping_passes_the_challenge_with_its_realm_rewritten() -> None:
    """The realm is ``/token`` on the URL that the client itself used; all else stays."""
    edge = Edge()
    edge.upstream.answer = answering(
        401,
        b'{"errors":[]}',
        WWW_Authenticate='bearer realm="https://auth.example/token",service="hub",scope="a:b:c,d"',
    )
    wire = edge.get("/v2/")
    assert wire.status() == 401
    assert (
        'bearer realm="http://mirror.example:5000/token",service="hub",scope="a:b:c,d"'
        in wire.head()
    )
    assert "Docker-Distribution-Api-Version: registry/2.0" in wire.head()
    assert wire.body() == b'{"errors":[]}'


def test_basic_challenges_pass_unchanged() -> None:
    """A realm of Basic is no URL."""
    edge = Edge()
    edge.upstream.answer = answering(401, b"", WWW_Authenticate='Basic realm="Registry"')
    assert 'WWW-Authenticate: Basic realm="Registry"' in edge.get("/v2/").head()


def test_realm_by_a_trusted_proxys_word() -> None:
    """Behind a TLS proxy the client's URL is what the proxy says."""
    networks = Frontage(trusted_proxies=_networks("192.0.2.0/24"))
    edge = Edge(frontage=networks)
    edge.upstream.answer = answering(401, b"", WWW_Authenticate='Bearer realm="https://a.example"')
    headers = ("X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: hub")
    assert 'realm="https://hub/token"' in edge.get("/v2/", *headers).head()
    stranger = Edge()
    stranger.upstream.answer = edge.upstream.answer
    assert 'realm="http://mirror.example:5000/token"' in stranger.get("/v2/", *headers).head()


def _networks(*texts: str) -> Any:
    from ipaddress import ip_network

    return tuple(ip_network(text) for text in texts)


def test_a_configured_public_url_wins() -> None:
    """``public_url`` is the realm's, whatever the client says."""
    edge = Edge(frontage=Frontage(public_url="https://hub.example"))
    edge.upstream.answer = answering(401, b"", WWW_Authenticate='Bearer realm="https://a.example"')
    assert 'realm="https://hub.example/token"' in edge.get("/v2/").head()


def test_passes_what_the_client_asks_and_no_more() -> None:
    """Credentials, each Accept, ranges and conditions go upstream; encodings and cookies not."""
    edge = Edge()
    path = "/v2/library/busybox/manifests/latest"
    edge.get(
        path,
        "Authorization: Bearer t",
        "Accept: application/a",
        "Accept: application/b, */*",
        "Accept-Encoding: gzip",
        "Cookie: a=b",
        "Range: bytes=5-",
        'If-Range: "x"',
        'If-None-Match: "y"',
        "User-Agent: docker/20",
        "X-Forwarded-For: 1.2.3.4",
    )
    method, uri, headers, _ = edge.upstream.requests[0]
    assert (method, uri) == ("GET", path)
    assert headers["accept"] == ["application/a", "application/b, */*"]
    assert headers["authorization"] == ["Bearer t"]
    assert headers["range"] == ["bytes=5-"]
    assert headers["if-range"] == ['"x"']
    assert headers["if-none-match"] == ['"y"']
    assert headers["user-agent"] == ["docker/20"]
    assert "cookie" not in headers
    assert "x-forwarded-for" not in headers


def test_short_names_are_official_images() -> None:
    """``HOST/busybox`` is ``library/busybox``, and ``?ns=`` stays here."""
    edge = Edge()
    edge.get("/v2/busybox/manifests/latest?ns=docker.io")
    assert edge.upstream.requests[0][1] == "/v2/library/busybox/manifests/latest"


def test_next_page_stays_on_the_mirror() -> None:
    """``Link`` leads back here."""
    edge = Edge()
    edge.upstream.answer = answering(
        200, b"{}", Link='<https://registry.example/v2/a/b/tags/list?n=2&last=x>; rel="next"'
    )
    wire = edge.get("/v2/a/b/tags/list?n=2")
    assert 'Link: </v2/a/b/tags/list?n=2&last=x>; rel="next"' in wire.head()
    assert edge.upstream.requests[0][1] == "/v2/a/b/tags/list?n=2"


def test_head_has_the_headers_of_the_get() -> None:
    """The length included, and no body."""
    edge = Edge()
    body = b"x" * 10
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    edge.upstream.answer = answering(200, body, Docker_Content_Digest=digest)
    path = f"/v2/library/busybox/blobs/{digest}"
    asked, got = edge.get(path, method="HEAD"), edge.get(path)
    assert _fields(asked) == _fields(got)
    assert "content-length: 10" in _fields(got)
    assert (got.body(), asked.body()) == (b"x" * 10, b"")


def _fields(wire: Any) -> set[str]:
    lines = wire.head().lower().splitlines()
    return {
        line
        for line in lines
        if not line.startswith(("x-request-id", "date", "http/", "cache-status"))
    }


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_upstreams_errors_pass_with_their_bodies(status: int) -> None:
    """The Hub's own words, and its limits."""
    edge = Edge()
    edge.upstream.answer = answering(
        status, b"no more", ratelimit_limit="100;w=21600", Retry_After="60"
    )
    wire = edge.get("/v2/library/busybox/manifests/latest")
    assert wire.status() == status
    assert wire.body() == b"no more"
    assert "retry-after: 60" in wire.head().lower()
    assert "ratelimit-limit: 100;w=21600" in wire.head().lower()


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_writes_are_refused_in_words(method: str) -> None:
    """A docker user who pushes reads why it can't be."""
    edge = Edge()
    wire = edge.get("/v2/busybox/blobs/uploads/", method=method)
    assert wire.status() == 405
    assert wire.error()["code"] == "UNSUPPORTED"
    assert "read-only mirror" in wire.error()["message"]
    assert edge.upstream.requests == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/%2e%2e/manifests/latest", 404, "NAME_INVALID"),
        ("/v2/a%2Fb/manifests/latest", 404, "NAME_INVALID"),
        ("/v2/A/manifests/latest", 404, "NAME_INVALID"),
        ("/v2/%ff/manifests/latest", 404, "NAME_INVALID"),
        ("/v2/a%00/manifests/latest", 404, "NAME_INVALID"),
        ("/v2/busybox/manifests/latest%0d%0aX", 404, "MANIFEST_INVALID"),
        ("/v2/busybox/blobs/sha256:0", 400, "DIGEST_INVALID"),
        ("/v2/busybox/other", 404, "UNSUPPORTED"),
        ("/v2/busybox/tags/list?last=a%0d%0ab", 400, "UNSUPPORTED"),
        ("/v2/busybox/tags/list?last=%ff", 400, "UNSUPPORTED"),
        ("/token/other", 404, "NAME_UNKNOWN"),
        ("/token/other/one", 404, "UNSUPPORTED"),
        ("/elsewhere", 404, "UNSUPPORTED"),
        ("/http://example.com/", 404, "UNSUPPORTED"),
    ],
)
def test_bad_requests_never_go_upstream(path: str, status: int, code: str) -> None:
    """Whatever is outside the grammar gets the registry's JSON error."""
    edge = Edge()
    wire = edge.get(path)
    assert (wire.status(), wire.error()["code"]) == (status, code)
    assert "Content-Type: application/json" in wire.head()
    assert edge.upstream.requests == []


@pytest.mark.parametrize("path", ["/v2/", "/v2/a/b/c", "/token", "/", "/elsewhere", "*"])
def test_preflight_on_every_path(path: str) -> None:
    """As the Worker does: 204, with an age of twenty days."""
    wire = Edge().get(path, "Access-Control-Request-Headers: authorization", method="OPTIONS")
    assert wire.status() == 204
    assert "Access-Control-Allow-Origin: *" in wire.head()
    assert "Access-Control-Max-Age: 1728000" in wire.head()
    assert (
        "Access-Control-Allow-Methods: GET,POST,PUT,PATCH,TRACE,DELETE,HEAD,OPTIONS" in wire.head()
    )
    assert "content-length" not in wire.head().lower()
    assert wire.body() == b""


def test_any_page_may_read_the_answers() -> None:
    """CORS, also on errors."""
    edge = Edge()
    for path in ("/v2/", "/elsewhere", "/v2/A/manifests/x"):
        assert "Access-Control-Allow-Origin: *" in edge.get(path).head()


@pytest.mark.parametrize("path", ["/v2/a/manifests/x", "/token?service=x", "/v2/a/tags/list"])
@pytest.mark.parametrize("is_quick", [True, False])
def test_no_answer_is_a_page_of_the_mirrors_own(path: str, *, is_quick: bool) -> None:
    """What the upstream calls one can run nothing, and is of no origin: ours has the monitor."""
    edge = Edge(is_quick=is_quick)

    def answer(request: Any) -> bytes:
        request.setHeader("Content-Type", "text/html")
        request.setHeader("Content-Security-Policy", "script-src *")
        return b"<script>fetch('/quota')</script>"

    edge.upstream.answer = answer
    head = edge.get(path).head()
    assert "\r\nContent-Security-Policy: default-src 'none'; sandbox" in head


def test_every_request_counts_until_the_day_is_spent() -> None:
    """Under ``/v2/`` and ``/token``, good or bad; then 429 until midnight UTC."""
    edge = Edge(quota=4)
    for path in ("/v2/", "/token", "/v2/A/manifests/x"):
        edge.get(path)
    edge.get("/v2/x", method="OPTIONS")
    edge.get("/elsewhere")
    seen = len(edge.upstream.requests)
    wire = edge.get("/v2/")
    assert wire.status() == 429
    assert wire.error()["code"] == "TOOMANYREQUESTS"
    assert "Retry-After: 43200" in wire.head()
    assert edge.get("/token").status() == 429
    assert len(edge.upstream.requests) == seen
    assert edge.quota.day().used == 4


def test_unreachable_upstream_is_a_502() -> None:
    """In the registry's JSON, with the cause in a sentence and no stack."""
    edge = Edge()
    edge.upstream.answer = answering(302, b"", Location="ftp://example.com/")
    wire = edge.get(BLOB)
    assert wire.status() == 502
    assert "registry.example" in wire.error()["message"]


def test_forms_of_another_type_are_refused() -> None:
    """A token request's body is a form."""
    wire = Edge().get(
        "/token", "Content-Type: application/json", "Content-Length: 2", method="POST", body=b"{}"
    )
    assert wire.status() == 400


def test_a_defect_is_a_500_without_its_stack(logged_failures: Any) -> None:
    """A traceback goes to the log only."""
    is_broken: list[bool] = []

    def broken() -> float:
        raise RuntimeError("secret inner thing")

    edge = Edge(now=lambda: 0.0 if not is_broken else broken())
    is_broken.append(True)
    wire = edge.get("/v2/")
    assert wire.status() == 500
    assert json.loads(wire.body())["errors"][0]["code"] == "UNKNOWN"
    assert b"secret" not in wire.value()
    assert len(logged_failures.take(RuntimeError)) == 1
