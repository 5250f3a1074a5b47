"""``GET /openapi.json``, and whether it is true of what the endpoints say.

``tests/integration/test_monitor.py`` holds it against the daemon.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from twisted.web.resource import IResource

from hubmirror.monitor.health import Healthz
from hubmirror.monitor.openapi import OpenApi
from tests.monitor.test_report import busy
from tests.monitor.watching import TOKEN, Watched, unchunked
from tests.registry.edge import Wire


def with_document(watched: Watched) -> Watched:
    """``watched`` with its description."""
    root: Any = watched.site.resource
    pages: dict[bytes, IResource] = {b"openapi.json": OpenApi(), b"healthz": Healthz()}
    for name, page in pages.items():
        root.putChild(name, page)
    return watched


@pytest.fixture(scope="module")
def document() -> Any:
    """What everybody may read."""
    wire = with_document(Watched()).ask("/openapi.json", peer="203.0.113.9")
    assert wire.status() == 200
    assert "Content-Type: application/json" in wire.head()
    return json.loads(wire.body())


def validator(document: Any, schema: dict[str, Any]) -> Any:
    """Of ``schema``, with the document's components; formats are checked."""
    whole = {**schema, "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def response_of(document: Any, path: str, wire: Wire) -> Any:
    """What the document says of an answer's body."""
    told = document["paths"][path]["get"]["responses"][str(wire.status())]
    if "$ref" in told:
        told = document["components"]["responses"][told["$ref"].rpartition("/")[2]]
    return validator(document, told["content"]["application/json"]["schema"])


@pytest.mark.parametrize("names", [True, False])
def test_a_busy_mirror(document: Any, names: bool) -> None:
    """All that there is to tell, and nothing else, is described."""
    now = validator(document, {"$ref": "#/components/schemas/Now"})
    now.validate(busy().reporter.now(names=names))


def test_an_idle_mirror(document: Any) -> None:
    """Where most is null."""
    now = validator(document, {"$ref": "#/components/schemas/Now"})
    now.validate(Watched().reporter.now(names=True))


def test_what_is_not_described_is_noticed(document: Any) -> None:
    """The check can fail: for a member too many, one too few, one of another kind."""
    now = validator(document, {"$ref": "#/components/schemas/Now"})
    told: Any = busy().reporter.now(names=True)
    assert not now.is_valid({**told, "other": 1})
    assert not now.is_valid({**told, "used": "1"})
    assert not now.is_valid({name: told[name] for name in told if name != "today"})
    assert not now.is_valid({name: told[name] for name in told if name != "networks"})
    for name in ("today", "forecast", "minute", "hub", "upstream", "login"):
        assert not now.is_valid({**told, name: {**told[name], "other": 1}}), name
    for name in ("clients", "networks", "users", "repositories", "reserves", "fetches"):
        assert not now.is_valid({**told, name: [{**told[name][0], "other": 1}]}), name


def test_answers(document: Any) -> None:
    """Those of each path, errors too."""
    watched = with_document(Watched(token=TOKEN))
    asked = (
        watched.ask("/quota"),
        watched.ask("/quota", peer="203.0.113.9"),
        watched.ask("/quota", "Sec-Fetch-Site: cross-site"),
    )
    assert [wire.status() for wire in asked] == [200, 401, 403]
    for wire in asked:
        response_of(document, "/quota", wire).validate(json.loads(wire.body()))
    wire = watched.ask("/quota/history?range=x")
    response_of(document, "/quota/history", wire).validate(json.loads(wire.body()))
    wire = watched.ask("/healthz")
    response_of(document, "/healthz", wire).validate(json.loads(wire.body()))


def test_history(document: Any) -> None:
    """Each row."""
    watched = Watched()
    wire = watched.ask("/quota/history?range=35d")
    watched.settle()
    told = json.loads(unchunked(wire.body()))
    rows = response_of(document, "/quota/history", wire)
    rows.validate(told)
    assert not rows.is_valid({**told, "rows": [{**told["rows"][0], "other": 1}]})


def test_all_is_described(document: Any) -> None:
    """Every member of every schema has its words, and every schema is used."""
    members = list(properties(document["components"]["schemas"]))
    assert len(members) > 80
    assert [name for name, schema in members if not told(schema)] == []
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text, name


def properties(node: Any) -> Iterator[tuple[str, Any]]:
    """The members that schemas below ``node`` have, with their own schemas."""
    if isinstance(node, dict):
        yield from node.get("properties", {}).items()
        for below in node.values():
            yield from properties(below)


def told(schema: Any) -> bool:
    """Whether there are words for it, here or where it points."""
    return "description" in schema or "$ref" in schema


def test_head() -> None:
    """The length alone."""
    wire = with_document(Watched()).ask("/openapi.json", method="HEAD")
    assert "Content-Length:" in wire.head()
    assert wire.body() == b""
