"""Asking in a client's name: with the token that he brings, or one that he would get."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from tests.mirror.hub import Hub

PATH = "/image/team/app:1.json"


def basic(user: str, word: str = "pw") -> str:
    """The header of a user and a password."""
    return f"Authorization: Basic {b64encode(f'{user}:{word}'.encode()).decode()}"


@pytest.fixture
def private(hub: Hub) -> Hub:
    """A Hub with an image of alice's."""
    hub.put_image("team/app", "1", b"layer", readers="alice")
    return hub


def test_nobody_gets_what_is_public(hub: Hub) -> None:
    """By the token that anybody is given, which is asked for once."""
    hub.put_image("team/app", "1", b"layer")

    assert hub.get("/image/team/app:1.tar").status() == 200

    asked = hub.asked()
    assert asked.count("GET /token") <= 2  # for the client, and for the mirror itself
    assert asked[0] == "GET /v2/team/app/manifests/1"


def test_a_password_gets_what_it_opens(private: Hub) -> None:
    """It is shown where tokens are given, as docker shows it."""
    assert private.get(PATH, basic("alice")).status() == 200
    assert private.get(PATH, basic("bob")).status() == 401
    assert private.get(PATH, basic("alice", "wrong")).status() == 401


def test_a_token_is_shown_as_it_is(private: Hub) -> None:
    """No other is asked for, whatever comes of it."""
    private.get("/v2/team/app/manifests/1", private.token("bob", "team/app"))
    of_its_own = private.asked().count("GET /token")  # whether the repository is public

    assert private.get(PATH, private.token("bob", "team/app")).status() == 401
    assert private.asked().count("GET /token") <= of_its_own
    assert private.get(PATH, private.token("alice", "team/app")).status() == 200


def test_a_401_has_the_challenge(private: Hub) -> None:
    """With this mirror's own realm, so that a client can go on."""
    wire = private.get(PATH)

    assert wire.status() == 401
    assert 'realm="http://mirror.example:5000/token",service="hub"' in wire.head()
    assert wire.error()["message"] == "who are you"


def test_a_token_that_is_over_is_replaced(private: Hub) -> None:
    """In the midst of an answer, too: the password is there still."""
    answer, over = private.edge.upstream.answer, ["/v2/team/app/blobs/"]

    def ending(request: Any) -> Any:
        if over and request.path.decode().startswith(over[0]):
            over.pop()
            request.setResponseCode(401)
            request.setHeader("WWW-Authenticate", 'Bearer realm="https://auth.example/token"')
            return b""
        return answer(request)

    private.edge.upstream.answer = ending

    assert private.get("/image/team/app:1.tar", basic("alice")).status() == 200
    shown = [
        headers.get("authorization")
        for _, path, headers, _ in private.edge.upstream.requests
        if path.startswith("/token")
    ]
    assert shown.count([basic("alice").partition(": ")[2]]) == 2


@pytest.mark.parametrize("token", [b"", b"{}", b"x" * (1 << 21)], ids=["none", "no-token", "long"])
def test_a_token_server_that_gives_none(private: Hub, token: bytes) -> None:
    """Is told as the upstream's failure."""
    answer = private.edge.upstream.answer

    def changing(request: Any) -> Any:
        return token if request.path == b"/token" else answer(request)

    private.edge.upstream.answer = changing

    assert private.get(PATH, basic("alice")).status() == 502
