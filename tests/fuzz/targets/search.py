"""What an upstream's search has found."""

from __future__ import annotations

import json

from hubmirror.errors import UpstreamFailure
from hubmirror.mirror.search import MAX_DESCRIPTION, parse_found
from hubmirror.question import SearchRequest
from tests.fuzz.target import Target

REQUEST = SearchRequest("busybox", 5)


def run(data: bytes) -> None:
    """At most what was asked for, in text that no terminal takes for a command."""
    try:
        found = parse_found(data, REQUEST, "hub.example")
    except UpstreamFailure:
        return
    assert found["num_results"] == len(found["results"]) <= REQUEST.count
    for one in found["results"]:
        assert one["description"].isprintable()
        assert len(one["description"]) <= MAX_DESCRIPTION
        assert one["name"].isascii()
        assert 0 <= one["star_count"] < 2**31
    assert json.loads(json.dumps(found).encode()) == found


TARGET = Target(
    run,
    (
        b'{"num_results":1,"results":[{"name":"busybox","description":"\\u001b[31m small",'
        b'"star_count":3,"is_official":true,"is_automated":false}]}',
        b'{"results":[{"name":"a/b"},{"name":"c","description":null},{},3]}',
    ),
    (
        b'"results":[',
        b'"name":',
        b'"description":',
        b'"star_count":',
        b"\\u202e",
        b"\\u001b",
        b"1e9",
    ),
)
