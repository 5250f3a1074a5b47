"""What each client's configuration holds, as it is shown."""

from __future__ import annotations

import json
import sys

import pytest

from hubmirror.clients.catalogue import CLIENTS, ClientSetup, client_setups

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PLAIN, SECURE = "http://hub.example:5000", "https://hub.example"


def setup(key: str, url: str) -> ClientSetup:
    return next(one for one in client_setups(url) if one.key == key)


@pytest.mark.parametrize(
    ("url", "is_insecure"),
    [
        (PLAIN, True),
        ("http://127.0.0.1:5000", False),
        ("http://[::1]:5000", False),
        (SECURE, False),
    ],
)
def test_docker_is_told_of_plain_http(url: str, is_insecure: bool) -> None:
    """Docker trusts loopback without TLS, and nothing else."""
    daemon = json.loads(setup("docker", url).text)

    assert daemon["registry-mirrors"] == [url]
    assert ("insecure-registries" in daemon) is is_insecure


@pytest.mark.parametrize("url", [PLAIN, SECURE])
def test_containerd_asks_the_mirror_and_then_the_hub(url: str) -> None:
    """Its scheme stands in the host's URL."""
    hosts = tomllib.loads(setup("containerd", url).text)

    assert hosts["server"] == "https://registry-1.docker.io"
    assert hosts["host"] == {url: {"capabilities": ["pull", "resolve"]}}


@pytest.mark.parametrize(("url", "is_insecure"), [(PLAIN, True), (SECURE, False)])
def test_podman_is_told_of_plain_http(url: str, is_insecure: bool) -> None:
    """Podman trusts nobody, loopback neither."""
    (registry,) = tomllib.loads(setup("podman", url).text)["registry"]
    (mirror,) = registry["mirror"]

    assert registry["location"] == "docker.io"
    assert mirror["location"] == url.partition("://")[2]
    assert mirror.get("insecure", False) is is_insecure


def test_k3s_has_the_url_as_endpoint() -> None:
    """With its scheme, in YAML."""
    assert setup("k3s", PLAIN).text.splitlines() == [
        "mirrors:",
        "  docker.io:",
        "    endpoint:",
        f'      - "{PLAIN}"',
    ]


@pytest.mark.parametrize(("url", "is_insecure"), [(PLAIN, True), (SECURE, False)])
def test_buildkit_is_told_of_plain_http(url: str, is_insecure: bool) -> None:
    """The mirror has a section of its own where it speaks plain HTTP."""
    host = url.partition("://")[2]
    registries = tomllib.loads(setup("buildkit", url).text)["registry"]

    assert registries["docker.io"] == {"mirrors": [host]}
    assert registries.get(host, {}).get("http", False) is is_insecure


def test_several_registries() -> None:
    """A file for each where a client wants that; docker has none for others."""
    registries = ("docker.io", "ghcr.io")

    files = {one.key: one.file for one in client_setups(SECURE, registries)}

    assert files["containerd"] == "/etc/containerd/certs.d/docker.io/hosts.toml"
    assert files["containerd-1"] == "/etc/containerd/certs.d/ghcr.io/hosts.toml"
    assert "docker" not in {one.key for one in client_setups(SECURE, ("ghcr.io",))}


def test_each_client_has_a_word_of_its_own() -> None:
    """By which the command and the page know it."""
    assert [key for key, client in CLIENTS.items() if client.key != key] == []
    shown = [one.key for one in client_setups(SECURE)]
    assert shown == ["docker", "containerd", "podman", "k3s", "buildkit"]
