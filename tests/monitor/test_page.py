"""The page at ``/``, as it is sent; ``tests/integration/test_page.py`` opens it in a browser."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from twisted.web.test.requesthelper import DummyRequest

from hubmirror.monitor.page import Page
from hubmirror.registry.request import public_url_of
from hubmirror.registry.site import Frontage
from tests.registry.edge import Edge, Wire

URL = "https://hub.example"


class Elements(HTMLParser):
    """The elements of a page: each with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def rendered(upstream: str = "registry.example", url: str | None = URL) -> tuple[str, str]:
    """The page's security policy and its text."""
    request = DummyRequest([b""])
    Page(upstream, lambda _request: url).render(request)
    policy = request.responseHeaders.getRawHeaders("Content-Security-Policy")
    assert policy is not None
    return policy[0], b"".join(request.written).decode()


def over_the_wire(frontage: Frontage | None = None, method: str = "GET") -> Wire:
    edge = Edge(frontage=frontage)
    edge.site.resource.putChild(b"", Page("registry.example", public_url_of))
    return edge.get("/", method=method)


def inline(page: str, element: str) -> str:
    """The text of the page's only ``element``."""
    (text,) = re.findall(rf"<{element}[^>]*>(.*?)</{element}>", page, re.DOTALL)
    return str(text)


def test_shows_the_setup_for_this_very_host() -> None:
    """With the URL that the browser itself used."""
    shown = over_the_wire().body().decode()
    assert "http://mirror.example:5000" in shown
    assert "docker pull mirror.example:5000/busybox" in shown

    shown = over_the_wire(Frontage(public_url=URL)).body().decode()
    assert "docker pull hub.example/busybox" in shown


@pytest.mark.parametrize("client", ["docker", "containerd", "podman", "k3s", "BuildKit"])
def test_has_a_setup_and_a_button_for_each_client(client: str) -> None:
    """In the HTML, so that it needs no script; the button, which does, is hidden at first."""
    _, page = rendered()
    elements = Elements(page).found
    copies = [attrs for tag, attrs in elements if tag == "button" and "data-copy" in attrs]
    (copy,) = (one for one in copies if one["data-copy"] == client.lower())

    assert "hidden" in copy
    assert client in str(copy["aria-label"])
    assert ("pre", {"id": f"setup-{client.lower()}"}) in elements


def test_has_a_setup_for_each_registry() -> None:
    """Where a client wants one for each."""
    request = DummyRequest([b""])
    Page("registry.example", lambda _: URL, ("docker.io", "ghcr.io")).render(request)
    page = b"".join(request.written).decode()

    assert "/etc/containerd/certs.d/ghcr.io/hosts.toml" in page
    assert "hub.example/ghcr.io" in page


def test_has_no_setup_where_nobody_pulls() -> None:
    """On a listener of the monitor's own."""
    _, page = rendered(url=None)

    assert "setup-docker" not in page
    assert "<main>" in page


@pytest.mark.parametrize("element", ["style", "script"])
def test_its_policy_allows_its_own_code(element: str) -> None:
    """The hash in the policy is that of the text in the page."""
    policy, page = rendered()
    digest = b64encode(sha256(inline(page, element).encode()).digest()).decode()

    assert f"{element}-src 'sha256-{digest}'" in policy.split("; ")


def test_its_policy_allows_nothing_else() -> None:
    """Nobody else's code, no HTML made of strings, and no words to another origin."""
    policy, _ = rendered()
    rules = dict(rule.partition(" ")[::2] for rule in policy.split("; "))

    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert rules["img-src"] == "data:"
    assert rules["require-trusted-types-for"] == "'script'"
    assert not re.search(r"unsafe|https?:|\*", policy)


def test_holds_nothing_that_its_policy_forbids() -> None:
    """No style or handler in an attribute, nothing from another host."""
    _, page = rendered()
    for _tag, attrs in Elements(page).found:
        assert not [name for name in attrs if name == "style" or name.startswith("on")]
        for name in {"src", "href"} & set(attrs):
            assert re.match(r"/(?!/)|data:", str(attrs[name]))


def test_is_small() -> None:
    """Below 150 kB, all of it."""
    _, page = rendered()
    assert len(page.encode()) < 150_000


def test_text_from_elsewhere_is_text() -> None:
    """Also where it looks like the empty elements into which the code goes."""
    hostile = "<style></style><script></script>"
    policy, page = rendered(upstream=hostile)

    assert hostile not in page
    assert "&lt;script&gt;" in page
    assert rendered()[0] == policy
    assert inline(page, "script") == inline(rendered()[1], "script")


def test_tells_its_length() -> None:
    """To a GET and to a HEAD, which gets no more than that."""
    got, head = over_the_wire(), over_the_wire(method="HEAD")

    assert f"Content-Length: {len(got.body())}" in got.head()
    assert f"Content-Length: {len(got.body())}" in head.head()
    assert head.body() == b""


def test_is_never_kept() -> None:
    """It differs by host."""
    head = over_the_wire().head()
    assert "Cache-Control: no-store" in head
    assert "Vary: Host" in head
