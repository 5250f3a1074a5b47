"""What other registries than Docker Hub do in their own way, each played by a fake.

The real ones can't be reached from a test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from hubmirror.config import Upstream
from tests.mirror.world import BODY, DIGEST, MANIFEST, told
from tests.registry.edge import Edge

Answer = Callable[[Any, str, str], bytes]


def given(request: Any) -> bytes:
    """The manifest."""
    request.setHeader("Content-Type", MANIFEST)
    request.setHeader("Docker-Content-Digest", DIGEST)
    return BODY


def challenged(request: Any, realm: str, service: str) -> bytes:
    """A challenge for a bearer token."""
    request.setResponseCode(401)
    request.setHeader("WWW-Authenticate", f'Bearer realm="{realm}",service="{service}",scope="s"')
    return b"{}"


def playing(name: str, answer: Answer) -> tuple[Edge, list[str]]:
    """A mirror of the registry ``name``, and the URLs that it was asked for."""
    asked: list[str] = []

    def answered(request: Any) -> bytes:
        host = request.requestHeaders.getRawHeaders("host")[0].partition(":")[0]
        target = request.uri.decode()
        asked.append(f"{host}{target}")
        return answer(request, host, target)

    edge = Edge(upstreams=(Upstream(name, f"https://{name}"),), prefetch="off")
    edge.upstream.answer = answered
    return edge, asked


def credential(request: Any) -> str | None:
    """What the client or the mirror shows."""
    shown: str | None = request.requestHeaders.getRawHeaders("authorization", [None])[0]
    return shown


def test_registry_k8s_io() -> None:
    """A 307 for manifests, too, to a host of its region, and never a challenge."""
    region = "europe-west1-docker.pkg.dev"

    def answer(request: Any, host: str, target: str) -> bytes:
        if host == region:
            return given(request)
        if target != "/v2/":
            request.setResponseCode(307)
            request.setHeader("Location", f"https://{region}/v2/k8s-artifacts/images/pause/x")
        return b""

    edge, asked = playing("registry.k8s.io", answer)
    wire = edge.get("/v2/registry.k8s.io/pause/manifests/3.9", f"Accept: {MANIFEST}")
    assert (wire.status(), wire.body()) == (200, BODY)
    assert f"{region}/v2/k8s-artifacts/images/pause/x" in asked
    assert edge.get("/v2/?ns=registry.k8s.io").status() == 200


def test_mcr_microsoft_com() -> None:
    """No token is needed, and there is none: who asks for one is told so."""
    edge, _ = playing("mcr.microsoft.com", lambda request, _host, _target: given(request))
    path = "/v2/mcr.microsoft.com/dotnet/framework/sdk/manifests/4.8"
    assert edge.get(path, f"Accept: {MANIFEST}").body() == BODY
    assert edge.get("/token/mcr.microsoft.com?scope=repository:a:pull").status() == 404


@pytest.mark.parametrize(
    ("name", "realm"),
    [
        ("ghcr.io", "https://ghcr.io/token"),
        ("quay.io", "https://quay.io/v2/auth"),
        ("public.ecr.aws", "https://public.ecr.aws/token/"),
        ("nvcr.io", "https://nvcr.io/proxy_auth"),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
    ],
)
def test_realms(name: str, realm: str) -> None:
    """Each has its own path; the client is led there by way of the mirror, and needs no token."""
    where = urlsplit(realm)

    def answer(request: Any, host: str, target: str) -> bytes:
        if (host, urlsplit(target).path) == (where.netloc, where.path):
            return json.dumps({"token": "granted"}).encode()
        if credential(request) == "Bearer granted":
            return given(request)
        return challenged(request, realm, name)

    edge, asked = playing(name, answer)
    path = f"/v2/{name}/one/two/three/manifests/1"
    challenge = told(edge.get(path, f"Accept: {MANIFEST}"), "WWW-Authenticate")
    assert f'realm="http://mirror.example:5000/token/{name}"' in challenge

    token = edge.get(f"/token/{name}?service={name}&scope=repository:one/two/three:pull")

    assert json.loads(token.body()) == {"token": "granted"}
    assert any(each.startswith(f"{where.netloc}{where.path}?service={name}&") for each in asked)
    wire = edge.get(path, f"Accept: {MANIFEST}", "Authorization: Bearer granted")
    assert (wire.status(), wire.body()) == (200, BODY)


def test_gcr_io() -> None:
    """By path it challenges for Basic; a login for the mirror's name does not go there."""

    def answer(request: Any, _host: str, target: str) -> bytes:
        if "/private/" in target and not (credential(request) or "").startswith("Basic "):
            request.setResponseCode(401)
            request.setHeader("WWW-Authenticate", 'Basic realm="gcr"')
            return b"{}"
        return given(request)

    edge, _ = playing("gcr.io", answer)
    assert edge.get("/v2/gcr.io/open/app/manifests/1", f"Accept: {MANIFEST}").body() == BODY
    path = "/v2/gcr.io/private/app/manifests/1"
    wire = edge.get(path, f"Accept: {MANIFEST}", "Authorization: Basic bWU6c2VjcmV0")
    assert (wire.status(), told(wire, "WWW-Authenticate")) == (
        401,
        'WWW-Authenticate: Basic realm="gcr"',
    )
    own = edge.get(
        path.replace("/gcr.io", "") + "?ns=docker.io", "Authorization: Basic bWU6c2VjcmV0"
    )
    assert own.status() == 200
