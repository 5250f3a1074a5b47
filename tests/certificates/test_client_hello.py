"""What a client says first, read strictly: OpenSSL's own, and anything else."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.certificates.client_hello import (
    HEADER,
    ClientHello,
    NotClientHello,
    parse_client_hello,
    record_size,
)

LABELS = st.from_regex(r"[a-z][a-z0-9]{0,20}", fullmatch=True)
NAMES = st.lists(LABELS, min_size=2, max_size=4).map(".".join)
PROTOCOLS = st.lists(st.sampled_from(["acme-tls/1", "h2", "http/1.1", "x" * 255]), max_size=4)


def said(name: str | None, protocols: list[str], newest: ssl.TLSVersion) -> bytes:
    """What OpenSSL's client sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = newest
    if protocols:
        context.set_alpn_protocols(protocols)
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(coming, going, server_hostname=name).do_handshake()
    return going.read()


DAMAGED = said("a.example", ["acme-tls/1"], ssl.TLSVersion.TLSv1_3)


def vector(size: int, content: bytes) -> bytes:
    """``content`` behind its length."""
    return len(content).to_bytes(size, "big") + content


def hello(extensions: bytes | None, ending: bytes = b"") -> bytes:
    """A ClientHello with these extensions, or without any, in a record of its own."""
    body = b"\x03\x03" + bytes(32) + vector(1, b"") + vector(2, b"\x13\x01") + vector(1, b"\0")
    body += (b"" if extensions is None else vector(2, extensions)) + ending
    return b"\x16\x03\x01" + vector(2, b"\x01" + vector(3, body))


def extension(kind: int, content: bytes) -> bytes:
    """One of them."""
    return kind.to_bytes(2, "big") + vector(2, content)


def name_of(name: bytes) -> bytes:
    """The extension that says whom a client wants."""
    return extension(0, vector(2, b"\0" + vector(2, name)))


def protocols_of(*protocols: bytes) -> bytes:
    """The extension that says what it would speak."""
    return extension(16, vector(2, b"".join(vector(1, one) for one in protocols)))


@given(
    name=NAMES | st.none(),
    protocols=PROTOCOLS,
    newest=st.sampled_from([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]),
)
def test_what_openssl_says_is_understood(
    name: str | None, protocols: list[str], newest: ssl.TLSVersion
) -> None:
    """Each beginning of it is not, and tells how much is missing."""
    record = said(name, protocols, newest)
    expected = ClientHello(name or "", tuple(one.encode() for one in protocols))
    assert parse_client_hello(record) == expected
    for end in (*range(HEADER + 2), *range(HEADER + 2, len(record), 29), len(record) - 1):
        assert record_size(record[:end]) == (HEADER if end < HEADER else len(record))
        with pytest.raises(NotClientHello):
            parse_client_hello(record[:end])
    with pytest.raises(NotClientHello):
        parse_client_hello(record + b"\0")


@given(data=st.data())
def test_one_that_is_damaged_is_no_defect(data: st.DataObject) -> None:
    """It is understood, or it is not: nothing else happens."""
    record = bytearray(DAMAGED)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(record) - 1))
        record[at] = data.draw(st.integers(0, 255))
    try:
        seen = parse_client_hello(bytes(record))
    except NotClientHello:
        return
    assert seen.server_name.isascii()
    assert all(0 < len(one) < 256 for one in seen.protocols)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: b"\x16\x03\x01" + data))
def test_anything_else_is_no_defect(data: bytes) -> None:
    """Whatever comes."""
    for read in (record_size, parse_client_hello):
        try:
            assert read(data)
        except NotClientHello:
            continue


@given(
    st.lists(
        st.tuples(st.integers(0, 65535).filter(lambda n: n not in (0, 16)), st.binary(max_size=40)),
        max_size=5,
        unique_by=lambda pair: pair[0],
    )
)
def test_other_extensions_do_not_matter(others: list[tuple[int, bytes]]) -> None:
    """In whichever order."""
    several = [extension(*one) for one in others]
    ours = [name_of(b"A.Example"), protocols_of(b"acme-tls/1")]
    expected = ClientHello("a.example", (b"acme-tls/1",))
    assert parse_client_hello(hello(b"".join(several + ours))) == expected
    assert parse_client_hello(hello(b"".join(ours + several))) == expected


def test_one_without_extensions_says_nothing() -> None:
    """As old ones have it."""
    assert parse_client_hello(hello(None)) == parse_client_hello(hello(b"")) == ClientHello("", ())


@pytest.mark.parametrize(
    "record",
    [
        hello(name_of(b"a") + name_of(b"b")),
        hello(name_of(b"")),
        hello(name_of(b"\xff")),
        hello(extension(0, vector(2, b"\0" + vector(2, b"a") + b"\0" + vector(2, b"b")))),
        hello(extension(0, vector(2, b"\1" + vector(2, b"a")))),
        hello(extension(0, b"")),
        hello(extension(0, vector(2, b"\0" + vector(2, b"a")) + b"x")),
        hello(protocols_of()),
        hello(protocols_of(b"")),
        hello(extension(16, vector(2, b"\x05abc"))),
        hello(protocols_of(b"a"), ending=b"x"),
        hello(b"\0"),
        b"\x16\x03\x01\0\0",
        b"\x16\x03\x01\x40\x01" + bytes(0x4001),
        b"\x16\x03\x01" + vector(2, b"\x02" + vector(3, b"")),
        b"\x16\x03\x01" + vector(2, b"\x01" + vector(3, b"")),
        b"\x17\x03\x01" + vector(2, b"x"),
        b"GET / HTTP/1.1\r\n\r\n",
        b"",
    ],
)
def test_what_is_not_as_it_must_be(record: bytes) -> None:
    """Twice the same, empty, of another kind, with something behind it."""
    with pytest.raises(NotClientHello):
        parse_client_hello(record)


def test_no_more_is_waited_for_than_a_record_holds() -> None:
    """16 KiB, whatever a client says."""
    assert record_size(b"\x16\x03\x01\x40\x00") == HEADER + 16384
    with pytest.raises(NotClientHello):
        record_size(b"\x16\x03\x01\xff\xff")
