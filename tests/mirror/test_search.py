"""Searches: kept for a while, given in an outage, and nothing in them but what may be there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.errors import UpstreamFailure
from hubmirror.mirror.search import FRESH, MAX_ANSWER, MAX_DESCRIPTION, parse_found
from hubmirror.question import SearchRequest
from tests.registry.edge import Edge, Wire

REQUEST = SearchRequest("x", 25)


class Engine:
    """A mirror before a search engine, whose answers are numbered."""

    def __init__(self, **settings: Any) -> None:
        self.edge = Edge(search_upstream="https://search.example", **settings)
        self.status = 200
        self.count = 0
        self.description = ""
        self.edge.upstream.answer = self._answer

    def search(self, term: str = "x") -> Wire:
        """What the mirror answers."""
        return self.edge.get(f"/v1/search?q={term}")

    def _answer(self, request: Any) -> bytes:
        self.count += 1
        request.setResponseCode(self.status)
        request.setHeader("Retry-After", "7")
        found = {"name": f"found{self.count}", "description": self.description}
        return json.dumps({"results": [found] * 25}, ensure_ascii=False).encode()


def name(wire: Wire) -> str:
    """What was found."""
    assert wire.status() == 200, wire.body()
    found: str = json.loads(wire.body())["results"][0]["name"]
    return found


def test_it_is_kept_for_a_while() -> None:
    """Each term has its own."""
    engine = Engine()
    assert name(engine.search()) == "found1"
    assert name(engine.search()) == "found1"
    assert name(engine.search("y")) == "found2"
    assert "Cache-Status: hubmirror; hit" in engine.search().head()

    engine.edge.clock.advance(FRESH)

    assert name(engine.search()) == "found3"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_in_an_outage_it_may_be_outdated(status: int) -> None:
    """And says so; what nobody has searched for yet is told as the failure that it is."""
    engine = Engine()
    engine.search()
    engine.edge.clock.advance(FRESH)
    engine.status = status

    wire = engine.search()
    assert name(wire) == "found1"
    assert "Warning: 299" in wire.head()

    refused = engine.search("other")
    assert refused.status() == (429 if status == 429 else 502)
    assert "Retry-After: 7" in refused.head()


def test_a_spent_limit_leaves_what_is_kept() -> None:
    """Fresh or not, and no way to more."""
    engine = Engine(quota=1)
    engine.search()
    assert name(engine.search()) == "found1"
    engine.edge.clock.advance(FRESH)

    assert name(engine.search()) == "found1"
    assert engine.search("other").status() == 429
    assert engine.count == 1


def test_no_more_is_kept_than_there_is_room_for() -> None:
    """What was searched for longest ago goes first."""
    engine = Engine()
    engine.description = "\N{SNOWMAN}" * MAX_DESCRIPTION  # six bytes each in JSON
    for number in range(60):
        engine.search(f"term{number}")
    asked = engine.count

    engine.search("term59")
    assert engine.count == asked
    engine.search("term0")
    assert engine.count == asked + 1


def test_a_registry_without_a_search() -> None:
    """Docker Hub's is not asked for the images of another."""
    edge = Edge()

    wire = edge.get("/v1/search?q=x")

    assert wire.status() == 404
    assert "search_upstream" in wire.error()["message"]
    assert edge.upstream.requests == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"results": {}}', b"[" * 100_000, b"\xff"])
def test_what_is_no_answer(body: bytes) -> None:
    """Is the upstream's failure."""
    with pytest.raises(UpstreamFailure, match=r"search\.example answered a search with something"):
        parse_found(body, REQUEST, "search.example")


def test_an_answer_that_is_too_long() -> None:
    """Is not read to its end."""
    engine = Engine()
    engine.edge.upstream.answer = lambda _request: b" " * (MAX_ANSWER + 1)

    assert engine.search().status() == 502


def test_names_outside_the_grammar_are_left_out() -> None:
    """And commands to a terminal: docker prints what it is told."""
    results = [
        {"name": "../etc"},
        {"name": "\x1b[2J"},
        {"no": "name"},
        "text",
        {"name": "team/app", "description": "a\x1b[31m b\n\tc", "star_count": -3},
        {"name": "b", "is_official": True, "is_automated": "yes", "star_count": 10**100},
    ]

    found = parse_found(json.dumps({"results": results}).encode(), REQUEST, "a")

    assert found == {
        "query": "x",
        "num_results": 2,
        "results": [
            {
                "name": "team/app",
                "description": "a[31m b c",
                "star_count": 0,
                "is_official": False,
                "is_automated": False,
            },
            {
                "name": "b",
                "description": "",
                "star_count": 2**31 - 1,
                "is_official": True,
                "is_automated": False,
            },
        ],
    }


_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["results", "name", "description", "star_count"]), inner)
    ),
    max_leaves=20,
)


@given(results=st.lists(_JSON, max_size=40))
def test_any_answer_is_bounded(results: list[Any]) -> None:
    """Whatever is in it: so many, so long, and printable."""
    found = parse_found(json.dumps({"results": results}).encode(), SearchRequest("x", 3), "a")

    assert len(found["results"]) <= 3
    for one in found["results"]:
        assert len(one["description"]) <= MAX_DESCRIPTION
        assert one["description"].isprintable()
        assert isinstance(one["star_count"], int)
