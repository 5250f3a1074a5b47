"""Header fields between Twisted's bytes and this project's text, and which of them may pass.

Source: RFC 9110, sections 5.5 (field values) and 7.6.1 (hop-by-hop fields).
"""

from __future__ import annotations

from twisted.web.http_headers import Headers as WireHeaders

from hubmirror.question import Headers

__all__ = ["decode", "encode", "end_to_end", "field"]

_CONTROLS = bytes.maketrans(b"\r\n\0", b"   ")

_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_COOKIES = frozenset(("cookie", "cookie2", "set-cookie", "set-cookie2"))
#: What an origin says of itself: passed on, it would speak for the mirror's own origin.
_OF_THE_ORIGIN = frozenset(
    (
        "alt-svc",
        "clear-site-data",
        "date",
        "expect-ct",
        "location",
        "nel",
        "public-key-pins",
        "public-key-pins-report-only",
        "report-to",
        "reporting-endpoints",
        "server",
        "strict-transport-security",
    )
)
_OF_THE_ORIGIN_PREFIXES = ("access-control-", "content-security-policy")
_NEVER = _HOP_BY_HOP | _COOKIES | _OF_THE_ORIGIN


def decode(headers: WireHeaders) -> Headers:
    """Twisted's header fields as text, one pair a field.

    Text is latin-1, so that any byte survives the way back; CR, LF and NUL in a value become
    spaces (RFC 9110, 5.5). Names are tokens: Twisted's parser takes no others.
    """
    return tuple(
        (name.decode("latin-1"), value.translate(_CONTROLS).decode("latin-1"))
        for name, values in headers.getAllRawHeaders()
        for value in values
    )


def encode(headers: Headers) -> WireHeaders:
    """The inverse of ``decode``. What latin-1 cannot say becomes a question mark."""
    wire = WireHeaders()
    for name, value in headers:
        wire.addRawHeader(name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
    return wire


def end_to_end(headers: Headers) -> Headers:
    """The fields of an answer that may go on to a client.

    Dropped: hop-by-hop fields and those that ``Connection`` names, cookies, and what an origin
    says of itself (its server, its clock, its transport security, its CORS rules). ``Location``
    goes too: the mirror follows redirects itself, and its clients stay with the mirror. An
    empty ``Content-Encoding`` is what treq's decoder leaves behind.
    """
    named = {
        option.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for option in value.split(",")
    }
    dropped = _NEVER | named
    return tuple(
        (name, value)
        for name, value in headers
        if (lower := name.lower()) not in dropped
        and not lower.startswith(_OF_THE_ORIGIN_PREFIXES)
        and (value or lower != "content-encoding")
    )


def field(headers: Headers, name: str) -> str | None:
    """The value of the first field called ``name``, in any case."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)
