"""What an ACME server finds at this mirror."""

from __future__ import annotations

import pytest

from hubmirror.registry.well_known import CHALLENGE_PATH, WELL_KNOWN, WellKnown
from tests.registry.edge import Edge, Wire

PATH = "/.well-known/acme-challenge/"


def ask(path: str, method: str = "GET") -> Wire:
    """Ask a mirror that has one challenge under way."""
    edge = Edge(pages={WELL_KNOWN: WellKnown({"token": "token.thumbprint"}.get)})
    return edge.get(path, method=method)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_challenge_under_way_is_answered(method: str) -> None:
    """As RFC 8555, section 8.3, has it."""
    wire = ask(f"{PATH}token", method)
    assert wire.status() == 200
    assert "Content-Type: application/octet-stream" in wire.head()
    assert "Content-Length: 16" in wire.head()
    assert wire.body() == (b"token.thumbprint" if method == "GET" else b"")
    assert PATH.encode() == CHALLENGE_PATH


@pytest.mark.parametrize(
    "path",
    [
        *("/.well-known", "/.well-known/", "/.well-known/other", PATH[:-1], PATH),
        *(f"{PATH}other", f"{PATH}token/", f"{PATH}token/more", f"{PATH}%ff", f"{PATH}token%2f"),
    ],
)
def test_nothing_else_is_there(path: str) -> None:
    """Neither other tokens nor anything around them."""
    assert ask(path).status() == 404


def test_a_challenge_can_only_be_read() -> None:
    """Other methods are told so."""
    wire = ask(f"{PATH}token", "DELETE")
    assert wire.status() == 405
    assert "Allow: GET, HEAD" in wire.head()
