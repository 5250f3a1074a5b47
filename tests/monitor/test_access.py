"""Who may watch, seen through ``/quota``."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import pytest
from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.monitor.access import Access
from hubmirror.registry.site import Frontage
from tests.monitor.watching import TOKEN, Watched
from tests.registry.edge import Wire

STRANGER = "203.0.113.9"
BEARER = f"Authorization: Bearer {TOKEN}"
BEHIND_A_PROXY = Frontage(trusted_proxies=(ip_network("127.0.0.1/32"),))


def sees(wire: Wire) -> str:
    """``all``, ``numbers``, or the status and the code of a refusal."""
    if wire.status() != 200:
        return f"{wire.status()} {wire.error()['code']}"
    return "all" if "clients" in json.loads(wire.body()) else "numbers"


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.:5000", "127.0.0.1:1", "[::1]:5000"])
def test_this_machine_sees_all(peer: str, host: str) -> None:
    """By any of its own names."""
    assert sees(Watched().ask("/quota", peer=peer, host=host)) == "all"


def test_nobody_else_sees_anything() -> None:
    """And is told which settings would let it in."""
    wire = Watched().ask("/quota", peer=STRANGER)
    assert sees(wire) == "403 DENIED"
    for setting in ("monitor_allow", "monitor_token", "monitor_public"):
        assert setting in wire.error()["message"]
    assert "WWW-Authenticate" not in wire.head()


@pytest.mark.parametrize(
    ("peer", "seen"),
    [("10.1.2.3", "all"), ("::ffff:10.1.2.3", "all"), ("11.1.2.3", "403 DENIED")],
)
def test_allowed_networks_see_all(peer: str, seen: str) -> None:
    """By whatever name they know the mirror."""
    assert sees(Watched(allow=["10.0.0.0/8"]).ask("/quota", peer=peer, host="hub.lan")) == seen


def test_the_public_sees_numbers() -> None:
    """Where the operator wants it."""
    watched = Watched(is_public=True)
    assert sees(watched.ask("/quota", peer=STRANGER)) == "numbers"
    assert sees(watched.ask("/quota")) == "all"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_token_opens_all(scheme: str) -> None:
    """From anywhere, also through a proxy that nobody trusts."""
    watched = Watched(token=TOKEN)
    header = f"Authorization: {scheme} {TOKEN}"
    wire = watched.ask("/quota", header, "Forwarded: for=10.0.0.1", peer=STRANGER, host="a.b")
    assert sees(wire) == "all"


def test_without_the_token() -> None:
    """The challenge says what is wanted."""
    wire = Watched(token=TOKEN).ask("/quota", peer=STRANGER)
    assert sees(wire) == "401 UNAUTHORIZED"
    assert 'WWW-Authenticate: Bearer realm="hubmirror monitor"\r\n' in wire.head() + "\r\n"


@pytest.mark.parametrize("token", ["wrong", "", TOKEN[:-1], f"{TOKEN}x", "\xff"])
def test_a_wrong_token_is_refused(token: str) -> None:
    """Of whoever else would be let in, too."""
    watched = Watched(token=TOKEN, is_public=True)
    wire = watched.ask("/quota", f"Authorization: Bearer {token}")
    assert sees(wire) == "401 UNAUTHORIZED"
    assert 'error="invalid_token"' in wire.head()
    assert TOKEN not in wire.value().decode("latin-1")


def test_a_right_token_beside_a_wrong_one() -> None:
    """Who sends two has not decided what it is."""
    wire = Watched(token=TOKEN).ask("/quota", BEARER, "Authorization: Bearer wrong")
    assert sees(wire) == "401 UNAUTHORIZED"


@pytest.mark.parametrize("header", [BEARER, "Authorization: Basic YTpi"])
def test_what_is_no_token_of_ours_says_nothing(header: str) -> None:
    """Where none is configured, or to a proxy's own password."""
    assert sees(Watched().ask("/quota", header)) == "all"
    assert sees(Watched().ask("/quota", header, peer=STRANGER)) == "403 DENIED"


def test_the_token_is_not_in_the_words_for_it() -> None:
    """A log or a traceback that shows the rule shows no secret."""
    assert TOKEN not in repr(Watched(token=TOKEN).access)


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "Via: 1.1 proxy"]
)
def test_a_proxy_that_is_not_trusted_is_not_this_machine(header: str) -> None:
    """It would make all the world loopback, or a network that is allowed."""
    wire = Watched(allow=["10.0.0.0/8"]).ask("/quota", header)
    assert sees(wire) == "403 DENIED"
    assert "trusted_proxies" in wire.error()["message"]
    wire = Watched(allow=["10.0.0.0/8"]).ask("/quota", header, peer="10.0.0.2")
    assert sees(wire) == "403 DENIED"


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        ("127.0.1.1", "all"),
        ("10.0.0.1", "all"),
        ("203.0.113.9", "403 DENIED"),
        ("127.0.1.1, 203.0.113.9", "403 DENIED"),
        ("unknown", "403 DENIED"),
    ],
)
def test_a_trusted_proxys_word(told: str, seen: str) -> None:
    """The client is who it says; where it does not say, nobody."""
    watched = Watched(allow=["10.0.0.0/8"], frontage=BEHIND_A_PROXY)
    assert sees(watched.ask("/quota", f"X-Forwarded-For: {told}")) == seen


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "192.0.2.7:5000", "127.0.0.1.evil.example"]
)
def test_a_name_that_is_not_ours_is_not_this_machine(host: str) -> None:
    """A page in a browser here may bring a name of its own that means this machine."""
    wire = Watched().ask("/quota", host=host)
    assert sees(wire) == "403 DENIED"
    assert "public_url" in wire.error()["message"]


def test_a_rebound_name_does_not_hide_behind_a_field() -> None:
    """A page may send any field; a proxy's word does not unsay the request's own Host."""
    watched = Watched(frontage=BEHIND_A_PROXY)
    fields = ("X-Forwarded-For: 127.0.1.1", "X-Forwarded-Host: localhost")
    assert sees(watched.ask("/quota", *fields)) == "all"
    assert sees(watched.ask("/quota", *fields, host="evil.example")) == "403 DENIED"
    other = ("X-Forwarded-For: 127.0.1.1", "X-Forwarded-Host: evil.example")
    assert sees(watched.ask("/quota", *other)) == "403 DENIED"


def test_own_names() -> None:
    """Whatever the configuration says: this machine's name, that of ``public_url``."""
    assert sees(Watched().ask("/quota", host="mirror.example")) == "all"


def test_pages_of_other_sites_are_refused() -> None:
    """A browser tells; a link that a person follows is let be."""
    watched = Watched(is_public=True, token=TOKEN)
    cross = "Sec-Fetch-Site: cross-site"
    assert sees(watched.ask("/quota", cross)) == "403 DENIED"
    assert sees(watched.ask("/quota", cross, BEARER)) == "403 DENIED"
    navigate = "Sec-Fetch-Mode: navigate"
    assert sees(watched.ask("/quota", cross, navigate, "Sec-Fetch-Dest: iframe")) == "403 DENIED"
    assert sees(watched.ask("/quota", cross, navigate, "Sec-Fetch-Dest: document")) == "all"
    assert sees(watched.ask("/quota", "Sec-Fetch-Site: same-origin")) == "all"


class Seen(Resource):
    """Says what its reader may see."""

    def __init__(self, access: Access) -> None:
        super().__init__()
        self._access = access

    def render_GET(self, request: Request) -> bytes:
        view = self._access.view(request)
        return b"nothing" if view is None else view.value.encode()


def test_view_does_not_raise() -> None:
    """For a page that shows more to some, and something to all."""
    watched = Watched()
    root: Any = watched.site.resource
    root.putChild(b"page", Seen(watched.access))
    assert watched.ask("/page").body() == b"all"
    assert watched.ask("/page", peer=STRANGER).body() == b"nothing"
