"""Errors on the wire."""

from __future__ import annotations

import json

from hubmirror.errors import NameInvalid, TooManyRequests
from hubmirror.registry.responses import error_answer, error_body, raw_response


def test_an_error_is_the_specs_json() -> None:
    """Code, message, and detail where there is one."""
    told = json.loads(error_body(NameInvalid(detail={"name": "A"})))
    assert told == {
        "errors": [
            {"code": "NAME_INVALID", "message": "invalid repository name", "detail": {"name": "A"}}
        ]
    }
    assert "detail" not in json.loads(error_body(NameInvalid()))["errors"][0]


def test_a_raw_response_is_whole() -> None:
    """Status line, the error's own headers, CORS, a length that is right, and the end."""
    head, _, body = raw_response(TooManyRequests(headers={"Retry-After": "1"})).partition(
        b"\r\n\r\n"
    )
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 429 Too Many Requests"
    assert f"Content-Length: {len(body)}" in lines
    assert {"Retry-After: 1", "Connection: close", "Access-Control-Allow-Origin: *"} <= set(lines)


def test_an_error_is_an_answer() -> None:
    """With its own headers, and a body that a client can read."""
    error = TooManyRequests(headers={"Retry-After": "1"})
    answer = error_answer(error)
    assert answer.status == 429
    assert answer.headers == (("Retry-After", "1"), ("Content-Type", "application/json"))
    assert answer.body == error_body(error)
