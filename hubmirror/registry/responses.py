"""How an error looks on the wire, and what every response carries."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from hubmirror.errors import RegistryError
from hubmirror.question import Answer

__all__ = [
    "COMMON_HEADERS",
    "PREFLIGHT_HEADERS",
    "error_answer",
    "error_body",
    "raw_response",
    "reason",
]

#: On every response: any page may read this mirror's answers, as it could the registry's.
COMMON_HEADERS: Final = (
    ("Server", "hubmirror"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "*"),
    ("X-Content-Type-Options", "nosniff"),
)

#: On every answer to OPTIONS: the methods and the age are those of the Worker.
PREFLIGHT_HEADERS: Final = (
    ("Access-Control-Allow-Methods", "GET,POST,PUT,PATCH,TRACE,DELETE,HEAD,OPTIONS"),
    ("Access-Control-Allow-Headers", "Authorization, Accept, Content-Type, If-None-Match, Range"),
    ("Access-Control-Max-Age", "1728000"),
)


def error_body(error: RegistryError) -> bytes:
    """The JSON of an error: OCI distribution-spec 1.1, "Error codes"."""
    entry: dict[str, object] = {"code": error.code, "message": error.message}
    if error.detail is not None:
        entry["detail"] = error.detail
    return json.dumps({"errors": [entry]}).encode() + b"\n"


def error_answer(error: RegistryError) -> Answer:
    """An error as the answer to a question."""
    headers = (*error.headers.items(), ("Content-Type", "application/json"))
    return Answer(error.status, headers, error_body(error))


def raw_response(error: RegistryError) -> bytes:
    """A whole HTTP/1.1 response, for a connection on which no request could be made out."""
    body = error_body(error)
    lines = [
        f"HTTP/1.1 {error.status} {reason(error.status)}",
        *(f"{name}: {value}" for name, value in (*COMMON_HEADERS, *error.headers.items())),
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def reason(status: int) -> str:
    """The reason phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
