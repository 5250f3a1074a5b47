"""Several registries behind one mirror: which of them is asked, and what it is shown."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.mirror.world import BODY, World, told

BASIC = "Authorization: Basic bWU6c2VjcmV0"


@pytest.fixture
def world() -> World:
    """Docker Hub is registry.example here."""
    return World()


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
        ("/image/a/b:1.json", "mirror.example", True),
        ("/image/ghcr.io/a/b:1.json", "mirror.example", False),
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
