"""The token server: GET, POST, what is granted and to whom."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import pytest_twisted
import treq

from tests.demo.conftest import NAME, PULL, Client, basic

SECRET = "repository:team/secret:pull"


def access(token: str) -> list[dict[str, Any]]:
    """The ``access`` list that a token carries."""
    payload = token.split(".")[1]
    document = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    entries: list[dict[str, Any]] = document["access"]
    return entries


async def post(client: Client, **form: str) -> tuple[int, dict[str, Any]]:
    """The status and the document that a form gets."""
    response = await client.http.post(client.hub.token_url, data=form)
    return response.code, await treq.json_content(response)


@pytest_twisted.ensureDeferred
async def test_anybody_gets_public_repositories(client: Client) -> None:
    """An anonymous token opens what is public, for pulls alone."""
    document = await client.token(f"repository:{NAME}:pull,push")
    assert document["token"] == document["access_token"]
    assert document["expires_in"] == 300
    assert access(document["token"]) == [{"type": "repository", "name": NAME, "actions": ["pull"]}]
    assert "refresh_token" not in document


@pytest_twisted.ensureDeferred
async def test_private_repository_is_left_out_in_silence(client: Client) -> None:
    """Anybody's token for a private repository is granted, and opens nothing."""
    assert access((await client.token(SECRET))["token"]) == []


@pytest.mark.parametrize("scopes", [(PULL, SECRET), (f"{PULL} {SECRET}",)])
@pytest_twisted.ensureDeferred
async def test_several_scopes(client: Client, scopes: tuple[str, ...]) -> None:
    """Scopes come as several parameters, or as one with spaces."""
    document = await client.token(*scopes, user="alice:wonderland")
    assert [entry["name"] for entry in access(document["token"])] == [NAME, "team/secret"]


@pytest.mark.parametrize(
    "credential", [basic("alice:wrong"), basic("bob:x"), "Basic %", "Bearer x"]
)
@pytest_twisted.ensureDeferred
async def test_wrong_password_is_401(client: Client, credential: str) -> None:
    """Credentials that are not right get no token, not even anybody's."""
    answered = await client.ask(client.hub.token_url, Authorization=credential)
    assert answered.status == 401
    assert b"incorrect username or password" in answered.content


@pytest_twisted.ensureDeferred
async def test_oauth2_by_password_and_by_refresh_token(client: Client) -> None:
    """A form with a password buys a refresh token, and that one a new access token."""
    status, document = await post(
        client,
        grant_type="password",
        username="alice",
        password="wonderland",
        scope=SECRET,
        access_type="offline",
    )
    assert status == 200
    assert document["scope"] == SECRET
    refresh_token = document["refresh_token"]
    status, again = await post(
        client, grant_type="refresh_token", refresh_token=refresh_token, scope=SECRET
    )
    assert status == 200
    assert access(again["access_token"])[0]["name"] == "team/secret"


@pytest_twisted.ensureDeferred
async def test_offline_token_comes_by_get(client: Client) -> None:
    """``docker login`` asks for a refresh token in the query."""
    document = await client.token(user="alice:wonderland", offline_token="true")
    status, _ = await post(
        client, grant_type="refresh_token", refresh_token=document["refresh_token"]
    )
    assert status == 200


@pytest_twisted.ensureDeferred
async def test_bad_forms_are_refused(client: Client) -> None:
    """A wrong password or refresh token is 401, an unknown grant 400."""
    wrong = {"grant_type": "password", "username": "alice", "password": "x"}
    assert (await post(client, **wrong))[0] == 401
    stolen = (await client.token(PULL))["token"]
    assert (await post(client, grant_type="refresh_token", refresh_token=stolen))[0] == 401
    assert (await post(client, grant_type="magic"))[0] == 400
