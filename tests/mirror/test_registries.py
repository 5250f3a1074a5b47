"""Several registries behind one mirror: which of them is asked, and what it is shown."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from hubmirror.config import Upstream
from tests.registry.edge import Edge, Wire

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BASIC = "Authorization: Basic bWU6c2VjcmV0"
UPSTREAMS = (
    Upstream("ghcr.io", "https://ghcr.io", hosts=("ghcr.hub.example",)),
    Upstream(
        "quay.io", "https://quay.io", fallbacks=("https://one.example", "https://two.example")
    ),
)
BODY = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST}).encode()
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


class World:
    """Registries that all have the same public images, and a token server each.

    ``down`` are hosts that answer 503; ``asked`` has each request's host, path and query, and
    credential.
    """

    def __init__(self) -> None:
        self.edge = Edge(upstreams=UPSTREAMS, allow_upstreams=("*.gcr.io",), prefetch="off")
        self.edge.upstream.answer = self._answer
        self.down: set[str] = set()
        self.asked: list[tuple[str, str, str | None]] = []

    def get(self, path: str, *headers: str, host: str = "mirror.example") -> Wire:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", f"Accept: {MANIFEST}", *headers, "", ""]
        return self.edge.send("\r\n".join(lines).encode())

    def hosts(self) -> list[str]:
        """Who was asked since this was asked last."""
        hosts = [host for host, _, _ in self.asked]
        self.asked.clear()
        return hosts

    def _answer(self, request: Any) -> bytes:
        host = request.requestHeaders.getRawHeaders("host")[0].partition(":")[0]
        credential = request.requestHeaders.getRawHeaders("authorization", [None])[0]
        target = request.uri.decode()
        self.asked.append((host, target, credential))
        if host in self.down:
            request.setResponseCode(503)
            return b""
        if urlsplit(target).path == "/token":
            return json.dumps({"token": f"of-{host}"}).encode()
        if credential != f"Bearer of-{host}":
            request.setResponseCode(401)
            challenge = f'Bearer realm="https://{host}/token",service="{host}",scope="x"'
            request.setHeader("WWW-Authenticate", challenge)
            return b"{}"
        if target.endswith("/tags/list?n=1"):
            request.setHeader("Link", '</v2/owner/app/tags/list?n=1&last=a>; rel="next"')
            return b"{}"
        request.setHeader("Content-Type", MANIFEST)
        request.setHeader("Docker-Content-Digest", DIGEST)
        return BODY


@pytest.fixture
def world() -> World:
    """Docker Hub is registry.example here."""
    return World()


def told(wire: Wire, name: str) -> str:
    """A field of the answer."""
    lines = [line for line in wire.head().splitlines() if line.startswith(f"{name}: ")]
    assert len(lines) == 1, wire.head()
    return lines[0]


@pytest.mark.parametrize(
    ("path", "host", "asked", "as_path"),
    [
        ("/v2/owner/app/manifests/1", "mirror.example", "registry.example", "owner/app"),
        ("/v2/app/manifests/1", "mirror.example", "registry.example", "library/app"),
        ("/v2/owner/app/manifests/1?ns=ghcr.io", "mirror.example", "ghcr.io", "owner/app"),
        ("/v2/app/manifests/1?ns=ghcr.io", "mirror.example", "ghcr.io", "app"),
        ("/v2/owner/app/manifests/1", "ghcr.hub.example:5000", "ghcr.io", "owner/app"),
        ("/v2/ghcr.io/owner/app/manifests/1", "mirror.example", "ghcr.io", "owner/app"),
        ("/v2/docker.io/app/manifests/1", "mirror.example", "registry.example", "library/app"),
        ("/v2/eu.gcr.io/owner/app/manifests/1", "mirror.example", "eu.gcr.io", "owner/app"),
        ("/v2/owner/app/manifests/1?ns=eu.gcr.io", "mirror.example", "eu.gcr.io", "owner/app"),
    ],
)
def test_who_is_asked(world: World, path: str, host: str, asked: str, as_path: str) -> None:
    """By ``ns``, host name or path; the name is as that registry has it."""
    wire = world.get(path, f"Authorization: Bearer of-{asked}", host=host)

    assert wire.status() == 200
    assert wire.body() == BODY
    assert (asked, f"/v2/{as_path}/manifests/1", f"Bearer of-{asked}") in world.asked
    assert set(world.hosts()) == {asked}


@pytest.mark.parametrize(
    "path", ["/v2/evil.example/a/b/manifests/1", "/v2/a/b/manifests/1?ns=evil.example"]
)
def test_unknown_registries(world: World, path: str) -> None:
    """Nobody is asked, least of all another registry."""
    wire = world.get(path)
    assert (wire.status(), wire.error()["code"]) == (404, "NAME_UNKNOWN")
    assert "evil.example" in wire.error()["message"]
    assert world.asked == []


@pytest.mark.parametrize(
    ("path", "host", "realm"),
    [
        ("/v2/a/b/manifests/1", "mirror.example", "http://mirror.example/token"),
        ("/v2/ghcr.io/a/b/manifests/1", "mirror.example", "http://mirror.example/token/ghcr.io"),
        ("/v2/a/b/manifests/1?ns=ghcr.io", "mirror.example", "http://mirror.example/token/ghcr.io"),
        ("/v2/?ns=ghcr.io", "mirror.example", "http://mirror.example/token/ghcr.io"),
        ("/v2/a/b/manifests/1", "ghcr.hub.example", "http://ghcr.hub.example/token"),
    ],
)
def test_each_has_its_token_server(world: World, path: str, host: str, realm: str) -> None:
    """The challenge leads to where the mirror asks that registry's own."""
    wire = world.get(path, host=host)
    assert wire.status() == 401
    assert f'realm="{realm}"' in told(wire, "WWW-Authenticate")
    registry = "registry.example" if realm == "http://mirror.example/token" else "ghcr.io"

    token = world.get(
        f"{realm.removeprefix(f'http://{host}')}?scope=repository:a/b:pull", host=host
    )

    assert json.loads(token.body())["token"] == f"of-{registry}"


def test_a_client_that_was_challenged_on_v2_alone(world: World) -> None:
    """Dockerd takes the default's realm and service for all its names, and asks for its own."""
    query = "service=registry.example&scope=repository:ghcr.io/owner/app:pull"
    assert json.loads(world.get(f"/token?{query}").body())["token"] == "of-ghcr.io"
    host, target, _ = world.asked[-1]
    asked = dict(parse_qsl(urlsplit(target).query))
    assert (host, asked) == (
        "ghcr.io",
        {"service": "ghcr.io", "scope": "repository:owner/app:pull"},
    )


@pytest.mark.parametrize(
    ("path", "host", "passes"),
    [
        ("/token?scope=repository:a/b:pull", "mirror.example", True),
        ("/token/ghcr.io?scope=repository:a/b:pull", "mirror.example", False),
        ("/token?scope=repository:ghcr.io/a/b:pull", "mirror.example", False),
        ("/token?scope=repository:a/b:pull", "ghcr.hub.example", True),
        ("/v2/a/b/manifests/1", "mirror.example", True),
        ("/v2/a/b/manifests/1", "ghcr.hub.example", True),
        ("/v2/ghcr.io/a/b/manifests/1", "mirror.example", False),
        ("/v2/a/b/manifests/1?ns=ghcr.io", "mirror.example", False),
    ],
)
def test_a_login_goes_to_the_registry_of_its_host(
    world: World, path: str, host: str, passes: bool
) -> None:
    """A password for the mirror's name is the default registry's; no other ever sees it."""
    world.get(path, BASIC, host=host)
    shown = [credential for _, _, credential in world.asked if (credential or "").startswith("Bas")]
    assert bool(shown) is passes


def test_a_form_may_hold_a_login(world: World) -> None:
    """So it is not taken for another registry; clients ask by GET then."""
    body = b"grant_type=password&username=me&password=secret&service=x&scope=repository:a/b:pull"
    head = (
        b"POST /token/ghcr.io HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" % len(body)
    )
    assert world.edge.send(head + body).status() == 405
    assert world.asked == []


def test_what_one_has_the_other_does_not_give(world: World) -> None:
    """Rights are a registry's own: the same name elsewhere is another repository."""
    path = "/v2/owner/app/manifests/1"
    assert world.get(path, "Authorization: Bearer of-registry.example").status() == 200
    world.hosts()

    assert world.get(f"{path}?ns=ghcr.io", "Authorization: Bearer wrong").status() == 401
    assert "ghcr.io" in world.hosts()


@pytest.mark.parametrize(
    ("path", "host", "following"),
    [
        ("/v2/ghcr.io/owner/app/tags/list?n=1", "mirror.example", "n=1&last=a"),
        ("/v2/owner/app/tags/list?n=1&ns=ghcr.io", "mirror.example", "n=1&last=a&ns=ghcr.io"),
        ("/v2/owner/app/tags/list?n=1", "ghcr.hub.example", "n=1&last=a"),
    ],
)
def test_the_next_page_is_of_the_same_registry(
    world: World, path: str, host: str, following: str
) -> None:
    """The link says so in the way that the client chose it."""
    wire = world.get(path, "Authorization: Bearer of-ghcr.io", host=host)
    assert told(wire, "Link") == f'Link: <{path.partition("?")[0]}?{following}>; rel="next"'


class TestStandIns:
    """quay.io is down, and others have what it has."""

    PATH = "/v2/quay.io/owner/app/manifests/1"

    @pytest.mark.parametrize("down", [{"quay.io"}, {"quay.io", "one.example"}])
    def test_in_their_order(self, world: World, down: set[str]) -> None:
        """The first that answers; what a client shows is not for them."""
        world.down = down
        wire = world.get(self.PATH, "Authorization: Bearer of-quay.io")
        assert (wire.status(), wire.body()) == (200, BODY)
        shown = {host: credential for host, _, credential in world.asked if host not in down}
        expected = "two.example" if "one.example" in down else "one.example"
        assert shown == {expected: f"Bearer of-{expected}"}

    def test_not_while_the_first_answers(self, world: World) -> None:
        """Not even where it refuses."""
        assert world.get(self.PATH, "Authorization: Bearer wrong").status() == 401
        assert set(world.hosts()) == {"quay.io"}

    def test_all_are_down(self, world: World) -> None:
        """The first one's failure is told."""
        world.down = {"quay.io", "one.example", "two.example"}
        assert world.get(self.PATH, "Authorization: Bearer of-quay.io").status() == 503

    def test_the_door_is_open(self, world: World) -> None:
        """An empty mirror lets clients in, too: there is somebody to ask."""
        world.down = {"quay.io"}
        wire = world.get("/v2/?ns=quay.io")
        assert 'realm="http://mirror.example/token/quay.io"' in told(wire, "WWW-Authenticate")
        token = json.loads(world.get("/token/quay.io?scope=repository:owner/app:pull").body())
        wire = world.get(self.PATH, f"Authorization: Bearer {token['token']}")
        assert (wire.status(), wire.body()) == (200, BODY)
