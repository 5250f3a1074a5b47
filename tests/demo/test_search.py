"""The Hub's search."""

from __future__ import annotations

import json

import pytest_twisted

from tests.demo.conftest import Client


@pytest_twisted.ensureDeferred
async def test_it_finds_names_for_anybody(client: Client) -> None:
    """Official images by their short names; no more than are wanted."""
    answered = await client.ask("/v1/search?q=hel&n=3")

    assert answered.status == 200
    found = json.loads(answered.content)
    assert [one["name"] for one in found["results"]] == ["hello"]
    assert found["results"][0]["is_official"] is True
    assert json.loads((await client.ask("/v1/search?q=hel&n=0")).content)["results"] == []


@pytest_twisted.ensureDeferred
async def test_what_is_private_is_not_found(client: Client) -> None:
    """By nobody."""
    results = json.loads((await client.ask("/v1/search?q=")).content)["results"]

    assert results
    assert not [one for one in results if "secret" in one["name"]]
