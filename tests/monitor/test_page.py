"""The page at ``/``."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from hubmirror.monitor.page import Page, client_setup
from hubmirror.registry.request import public_url_of
from hubmirror.registry.site import Frontage
from tests.registry.edge import Edge, Wire


def page(frontage: Frontage | None = None, quota: int = 100_000) -> Wire:
    edge = Edge(quota=quota, frontage=frontage)
    edge.site.resource.putChild(b"", Page(edge.quota, "https://registry.example", public_url_of))
    edge.get("/v2/")
    return edge.get("/")


def text(wire: Wire) -> str:
    return re.sub(r"\r\n[0-9a-f]+\r\n", "", wire.body().decode())


def test_shows_the_setup_for_this_very_host() -> None:
    """With the URL that the browser itself used."""
    shown = text(page())
    assert "http://mirror.example:5000" in shown
    assert "docker pull mirror.example:5000/busybox" in shown
    assert "https://registry.example" in shown
    shown = text(page(Frontage(public_url="https://hub.example")))
    assert "docker pull hub.example/busybox" in shown


def test_shows_the_count() -> None:
    """The day's, for people."""
    assert "of 100,000 today" in text(page())
    assert "requests today" in " ".join(text(page(quota=0)).split())


def test_its_policy_allows_its_own_style_and_nothing_else() -> None:
    """The hash in the policy is that of the style in the page."""
    wire = page()
    style = re.search(r"<style>(.*)</style>", text(wire), re.DOTALL)
    assert style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in wire.head()
    assert "default-src 'none'" in wire.head()


@pytest.mark.parametrize(
    ("url", "is_insecure"),
    [("http://hub.example:5000", True), ("http://127.0.0.1:5000", False), ("https://h", False)],
)
def test_docker_is_told_of_plain_http(url: str, is_insecure: bool) -> None:
    """Docker trusts loopback without TLS, and nothing else."""
    assert ("insecure-registries" in client_setup(url)["daemon_json"]) is is_insecure


def test_podman_is_told_of_plain_http() -> None:
    """Podman trusts nobody."""
    assert "insecure = true" in client_setup("http://127.0.0.1:5000")["registries_conf"]
    assert "insecure" not in client_setup("https://h")["registries_conf"]
