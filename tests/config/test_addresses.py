"""Tests of the parsers of listeners, URLs, hosts and networks."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.config.addresses import (
    cut_login,
    hosts_and_networks,
    listen_addresses,
    networks,
    optional_origin,
    origin,
    proxy,
)
from hubmirror.config.model import ListenAddress

Parser = Callable[[object], object]


@pytest.mark.parametrize(
    ("raw", "addresses"),
    [
        ("127.0.0.1:5000", [("127.0.0.1", 5000)]),
        ("[::1]:0", [("::1", 0)]),
        (":80", [("", 80)]),
        ("LocalHost:80", [("localhost", 80)]),
        ("127.0.0.1:1,:2", [("127.0.0.1", 1), ("", 2)]),
        (["127.0.0.1:1", ":2"], [("127.0.0.1", 1), ("", 2)]),
        ("off", []),
        (["off"], []),
        ([], []),
    ],
)
def test_listen_addresses(raw: object, addresses: list[tuple[str, int]]) -> None:
    """Hosts, IPv6 in brackets, all interfaces, several, none."""
    assert listen_addresses(raw) == tuple(ListenAddress(*address) for address in addresses)


@pytest.mark.parametrize(
    "raw",
    [
        *("5000", "x:", "x:65536", "x:-1", "x:http", "x:\u0661", 5),
        *("::1:5000", "fe80::1%1:80", "[fe80::1%1]:80", "[x]y:1"),
        *("a b:80", "1.2.3.300:80", "off,:80", "http://x:80"),
    ],
)
def test_what_is_no_listen_address(raw: object) -> None:
    """A missing or odd port, an IPv6 address without brackets and odd hosts are refused."""
    with pytest.raises(ValueError, match=r"\S"):
        listen_addresses(raw)


@given(
    st.one_of(
        st.just(""), st.ip_addresses().map(str), st.from_regex(r"[a-z]{1,9}", fullmatch=True)
    ),
    st.integers(0, 65535),
)
def test_a_listen_address_is_read_as_it_is_written(host: str, port: int) -> None:
    """``str`` and the parser are each other's inverse."""
    address = ListenAddress(host, port)
    assert listen_addresses(str(address)) == (address,)


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        ("https://registry-1.docker.io", "https://registry-1.docker.io"),
        ("https://Hub.Example.org/", "https://hub.example.org"),
        ("http://[2001:db8::1]:5000", "http://[2001:db8::1]:5000"),
        ("http://my_registry:5000", "http://my_registry:5000"),
    ],
)
def test_origins(raw: str, url: str) -> None:
    """Scheme and authority remain."""
    assert origin(raw) == url


@pytest.mark.parametrize(
    "raw",
    [
        *("", "x.org", "ftp://x.org", "https://", 1, None),
        *("https://x.org/v2", "https://x.org?a=b", "https://x.org#a", "https://x.org#"),
        *("https://a b", "https://-x.org", "https://x\\y", "https://münchen.de"),
        *("https://x.org:99999", "https://x.org:0", "https://1.2.3.300"),
    ],
)
def test_what_is_no_origin(raw: object) -> None:
    """Anything beyond scheme, host and port is refused, and so are odd hosts."""
    with pytest.raises(ValueError, match=r"\S"):
        origin(raw)


def test_an_optional_origin_may_be_empty() -> None:
    """Empty text is none; other text is an origin."""
    assert optional_origin("") is None
    assert optional_origin("https://x.org/") == "https://x.org"


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        ("http://proxy.example.org:3128", "http://proxy.example.org:3128"),
        ("http://proxy.example.org/", "http://proxy.example.org:80"),
        ("proxy.example.org:3128", "http://proxy.example.org:3128"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("off", None),
        ("", None),
    ],
)
def test_proxies(raw: str, url: str | None) -> None:
    """The port is always written; ``off`` and nothing are no proxy."""
    assert proxy(raw) == url


def test_credentials_in_a_proxy_are_refused_without_being_told() -> None:
    """The error names the setting for credentials and holds nothing of them."""
    with pytest.raises(ValueError, match="egress_credentials") as caught:
        proxy("http://user:s3cret@proxy:3128")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("raw", ["https://proxy:1", "socks5://proxy:1", "http://p/x", "http://"])
def test_what_is_no_proxy(raw: str) -> None:
    """Only plain HTTP proxies are spoken to."""
    with pytest.raises(ValueError, match=r"\S"):
        proxy(raw)


@pytest.mark.parametrize(
    ("raw", "url", "login"),
    [
        ("http://proxy:1", "http://proxy:1", None),
        ("http://u:p%40x@proxy:1", "http://proxy:1", ("u", "p@x")),
        ("u:p@proxy:1", "proxy:1", ("u", "p")),
        ("http://u@proxy:1", "http://proxy:1", ("u", "")),
        ("http://u:a@b@proxy:1", "http://proxy:1", ("u", "a@b")),
    ],
)
def test_a_login_is_cut_from_a_url(raw: str, url: str, login: tuple[str, str] | None) -> None:
    """What stands before the last @ is the login, percent-decoded."""
    assert cut_login(raw) == (url, login)


def test_networks() -> None:
    """CIDR notation and single addresses, of both families."""
    assert networks("10.0.0.0/8, ::1") == (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def test_a_network_with_host_bits_is_refused() -> None:
    """The error names the network that was meant."""
    with pytest.raises(ValueError, match=r"10\.1\.2\.3/8' has host bits set; 10\.0\.0\.0/8"):
        networks(["10.1.2.3/8"])


@pytest.mark.parametrize("raw", ["x", "10.0.0.0/33", "10.0.0/8", 5])
def test_what_is_no_network(raw: object) -> None:
    """Names and odd prefixes are refused."""
    with pytest.raises(ValueError, match=r"\S"):
        networks(raw)


def test_hosts_and_networks() -> None:
    """Names come out in lower case, addresses as networks."""
    raw = ["Registry.Example.org.", "198.18.0.0/15", "10.0.0.1", "::1"]
    assert hosts_and_networks(raw) == (
        "registry.example.org",
        "198.18.0.0/15",
        "10.0.0.1/32",
        "::1/128",
    )


@pytest.mark.parametrize("raw", ["a b", "x/8", "10.0.0.300", "*.x.org", "http://x", "-x"])
def test_what_is_neither_host_nor_network(raw: str) -> None:
    """URLs, patterns and mistyped addresses are refused."""
    with pytest.raises(ValueError, match=r"\S"):
        hosts_and_networks(raw)


@given(
    st.sampled_from([listen_addresses, origin, proxy, networks, hosts_and_networks]),
    st.text() | st.sampled_from(["http://[", "https://[::1", "[]:1", "[]", "/", "//"]),
)
def test_a_parser_fails_in_words_on_one_line(parse: Parser, raw: str) -> None:
    """Whatever comes, a parser returns or raises ``ValueError`` with a printable reason."""
    assert failure_of(parse, raw).isprintable()


def failure_of(parse: Parser, raw: str) -> str:
    """Why ``raw`` is refused, or nothing."""
    try:
        parse(raw)
    except ValueError as error:
        return str(error)
    return ""
