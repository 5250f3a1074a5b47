"""What a client has sent: one request as it came over the wire (RFC 9112), and who it is from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

from attrs import Factory, define, frozen

from hubmirror.errors import BadRequest
from hubmirror.question import Client, Headers

__all__ = ["Exchange", "Message", "parse_parameters", "query_of", "segments_of"]

#: Parameters of a query that may stand in the log: never a secret.
LOGGED_PARAMETERS: Final = frozenset(
    {"artifactType", "last", "n", "ns", "platform", "scope", "service"}
)


@define(eq=False)
class Message:
    """One request. ``fields`` are the values of each header by its name in lower case, in their

    order. ``is_persistent``: whether the client wants the connection kept. ``has_body`` is told by
    the head; ``body``, and ``size``, which is what the request took on the wire, are there when it
    is whole.
    """

    method: bytes
    target: bytes
    version: bytes
    fields: dict[bytes, list[bytes]]
    is_persistent: bool
    has_body: bool = False
    body: bytes = b""
    size: int = 0

    @property
    def path(self) -> bytes:
        """The target's path, still percent-encoded."""
        return self.target.partition(b"?")[0]

    @property
    def namespace(self) -> str | None:
        """The registry that is named in the query, as containerd does; raises ``BadRequest``."""
        if b"ns=" not in self.target:
            return None
        return next((value for name, value in query_of(self.target) if name == "ns"), None)

    def text(self, name: bytes) -> str | None:
        """The first field called ``name`` (in lower case): Latin-1, as RFC 9110 has it."""
        values = self.fields.get(name)
        return values[0].decode("latin-1") if values else None

    def texts(self, name: bytes) -> tuple[str, ...]:
        """All fields called ``name`` (in lower case), as text."""
        return tuple(value.decode("latin-1") for value in self.fields.get(name, ()))

    def all_texts(self) -> Iterator[tuple[str, str]]:
        """Every field with its name, as text."""
        for name, values in self.fields.items():
            for value in values:
                yield name.decode("latin-1"), value.decode("latin-1")


@frozen(eq=False)
class Exchange:
    """A request and what is known from its first moment on: from whom, when it ``began``

    (in the reactor's seconds), and the id by which the client and the log know it.
    """

    message: Message
    client: Client
    began: float
    id: str = Factory(lambda: os.urandom(8).hex())

    def line(
        self,
        *,
        status: int,
        sent: int,
        seconds: float,
        upstream: float | None,
        is_whole: bool = True,
    ) -> dict[str, object]:
        """The fields of its line in the access log; ``sent`` are the body's bytes."""
        message = self.message
        fields: dict[str, object] = {
            "client": self.client.address,
            "method": message.method.decode("latin-1"),
            "path": _loggable(message.target),
            "status": status,
            "bytes": sent,
            "seconds": round(seconds, 4),
            "id": self.id,
        }
        if upstream is not None:
            fields["upstream"] = round(upstream, 4)
        if not is_whole:
            fields["aborted"] = True
        return fields


def segments_of(target: bytes) -> list[bytes]:
    """The segments of a target's path, percent-decoded: at least one."""
    path = target.partition(b"?")[0]
    return [unquote_to_bytes(segment) for segment in path[1:].split(b"/")]


def query_of(target: bytes) -> Headers:
    """The parameters of a target's query in their order; raises as ``parse_parameters``."""
    return parse_parameters(target.partition(b"?")[2])


def parse_parameters(encoded: bytes) -> Headers:
    """``application/x-www-form-urlencoded`` parameters, in their order.

    Raises ``BadRequest`` where they hold a control character, or are no UTF-8, or are too many.
    """
    if not encoded:
        return ()
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100
        )
    except ValueError:
        raise BadRequest("the request's parameters are malformed") from None
    if any(not text.isprintable() for pair in pairs for text in pair):
        raise BadRequest("a parameter of the request holds a control character")
    return tuple(pairs)


def _loggable(target: bytes) -> str:
    path, _, query = target.decode("latin-1").partition("?")
    if not query:
        return path
    shown = [
        (name, value if name in LOGGED_PARAMETERS else "-")
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return f"{path}?{urlencode(shown, safe=':/,*')}"
