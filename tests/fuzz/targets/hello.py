"""What a TLS client says first."""

from __future__ import annotations

from hubmirror.certificates.client_hello import (
    HEADER,
    NotClientHello,
    parse_client_hello,
    record_size,
)
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """A name and protocols, or ``NotClientHello``; a record has a size that is not too large."""
    try:
        assert HEADER <= record_size(data) <= HEADER + 2**14
        hello = parse_client_hello(data)
    except NotClientHello:
        return
    assert hello.server_name == hello.server_name.lower()
    assert all(hello.protocols)


def _vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


_NAME = b"\0\0" + _vector(2, _vector(2, b"\0" + _vector(2, b"hub.example")))
_ALPN = b"\0\x10" + _vector(2, _vector(2, _vector(1, b"acme-tls/1") + _vector(1, b"h2")))
_BODY = b"\x03\x03" + bytes(32) + b"\0" + _vector(2, b"\x13\x01") + b"\x01\0"
_HELLO = b"\x01" + _vector(3, _BODY + _vector(2, _NAME + _ALPN))
TARGET = Target(
    run,
    (b"\x16\x03\x01" + _vector(2, _HELLO), b"\x16\x03\x01\0\x04\x01\0\0\0"),
    (_NAME, _ALPN, b"\x16\x03\x01", b"\xff\xff", b"\0\0"),
)
