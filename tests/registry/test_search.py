"""What docker asks for when somebody searches."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema_rs
import pytest

from tests.registry.edge import Edge

FOUND = json.dumps({"num_results": 1, "results": [{"name": "busybox", "star_count": 3}]}).encode()


@pytest.fixture
def edge() -> Edge:
    """Whose upstream finds one image, whatever is searched for."""
    edge = Edge(search_upstream="https://search.example")
    edge.upstream.answer = lambda _request: FOUND
    return edge


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("q=busybox&n=7", "/v1/search?q=busybox&n=7"),
        ("n=25&q=team%2Fx", "/v1/search?q=team%2Fx&n=25"),
        ("q=a+b&page=2", "/v1/search?q=a%20b&n=25"),
        ("q=x&n=1000", "/v1/search?q=x&n=100"),
        ("q=x&n=0", "/v1/search?q=x&n=1"),
    ],
)
def test_a_search(edge: Edge, query: str, asked: str) -> None:
    """Goes on with its term and how much is wanted, and nothing else."""
    wire = edge.get(
        f"/v1/search?{query}", "Authorization: Basic YWxpY2U6cHc=", "X-Docker-Token: true"
    )

    assert wire.status() == 200
    assert json.loads(wire.body())["results"][0]["name"] == "busybox"
    ((method, url, headers, _),) = edge.upstream.requests
    assert (method, url) == ("GET", asked)
    assert headers["host"] == ["search.example"]
    assert not {"authorization", "x-docker-token"} & set(headers)


@pytest.mark.parametrize(
    "query", ["", "q=", "q=%20", f"q={'x' * 256}", "q=a&n=x", "q=a&n=-1", "q=a%00b"]
)
def test_no_search(edge: Edge, query: str) -> None:
    """Is refused, and goes nowhere."""
    assert edge.get(f"/v1/search?{query}").status() == 400
    assert edge.upstream.requests == []


def test_the_rest_of_that_api_is_not_there(edge: Edge) -> None:
    """Nor is the question whether it is."""
    for path in ("/v1/", "/v1/_ping", "/v1/users", "/v1/search/x", "/v1/repositories/a/images"):
        assert edge.get(path).status() == 404
    assert edge.get("/v1/search?q=x", method="POST").status() == 405
    assert edge.upstream.requests == []


def test_it_counts(edge: Edge) -> None:
    """As any request to the API."""
    edge.get("/v1/search?q=x")

    assert edge.quota.day().used == 1


def test_it_is_as_described(edge: Edge) -> None:
    """By ``/openapi.json``."""
    document = json.loads(files("hubmirror.monitor").joinpath("openapi.json").read_bytes())
    reference = {"$ref": "#/components/schemas/Found"}
    schema = jsonschema_rs.validator_for({**reference, "components": document["components"]})

    schema.validate(json.loads(edge.get("/v1/search?q=x").body()))
