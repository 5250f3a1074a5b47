"""Who the client is, and by which URL it came."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.question import Headers
from hubmirror.registry.forwarded import Network, client_of, parse_host

TRUSTED: tuple[Network, ...] = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
PROXY = "10.0.0.1"


def seen(
    *headers: tuple[str, str],
    peer: str = PROXY,
    is_secure: bool = False,
    host: str = "mirror.example:5000",
    trusted: Sequence[Network] = TRUSTED,
    public_url: str | None = None,
) -> tuple[str, str]:
    """``client_of``, with a trusted peer and a host unless told otherwise."""
    return client_of(
        peer=peer,
        is_secure=is_secure,
        host=host,
        headers=headers,
        trusted=trusted,
        public_url=public_url,
    )


def test_without_proxies_the_connection_tells_all() -> None:
    """The peer's address, the connection's scheme, the request's Host in lower case."""
    assert seen(peer="192.0.2.1") == ("192.0.2.1", "http://mirror.example:5000")
    assert seen(peer="2001:db8::1", is_secure=True, host="Mirror.Example") == (
        "2001:db8::1",
        "https://mirror.example",
    )


def test_an_ipv4_peer_on_an_ipv6_socket_is_itself() -> None:
    """A mapped address is the IPv4 one, and is trusted as such."""
    assert seen(peer="::ffff:192.0.2.1")[0] == "192.0.2.1"
    assert seen(("X-Forwarded-For", "192.0.2.7"), peer="::ffff:10.0.0.1")[0] == "192.0.2.7"


@pytest.mark.parametrize("peer", ["", "/run/hubmirror.sock", "fe80::1%eth0"])
def test_other_peers_are_named_as_they_are(peer: str) -> None:
    """A peer without an address, or with a zone, is no trusted proxy."""
    assert seen(("X-Forwarded-For", "192.0.2.7"), peer=peer) == (
        peer,
        "http://mirror.example:5000",
    )


@pytest.mark.parametrize(
    "headers",
    [
        (("Forwarded", "for=192.0.2.7;proto=https;host=evil.example"),),
        (
            ("X-Forwarded-For", "192.0.2.7"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "evil.example"),
        ),
    ],
)
def test_a_strangers_word_counts_for_nothing(headers: Headers) -> None:
    """Forwarding fields of a peer that isn't trusted are ignored, also when nobody is."""
    expected = ("192.0.2.1", "http://mirror.example:5000")
    assert seen(*headers, peer="192.0.2.1") == expected
    assert seen(*headers, peer="192.0.2.1", trusted=()) == expected


@pytest.mark.parametrize(
    ("value", "address", "url"),
    [
        ("for=192.0.2.7;proto=https;host=hub.example", "192.0.2.7", "https://hub.example"),
        ('For="192.0.2.7:4711";Proto=HTTPS;HOST="Hub.Example:8443"', "192.0.2.7",
         "https://hub.example:8443"),
        ('for="[2001:db8::7]:4711"; host="[2001:db8::1]:5000"', "2001:db8::7",
         "http://[2001:db8::1]:5000"),
        ('for="[::ffff:192.0.2.7]"', "192.0.2.7", "http://mirror.example:5000"),
        ('for="192.0.2.7:_port";by=_me;secret="a;b"', "192.0.2.7", "http://mirror.example:5000"),
        ("proto=https", PROXY, "https://mirror.example:5000"),
        ("for=unknown;proto=https", PROXY, "https://mirror.example:5000"),
        ("for=_hidden;host=hub.example", PROXY, "http://hub.example"),
        ("for=192.0.2.7:80;host=hub.example:81", "192.0.2.7", "http://hub.example:81"),
        ("for=192.0.2.7;proto=ftp;host=a/b", "192.0.2.7", "http://mirror.example:5000"),
        ('for=192.0.2.7;host="a\\"b"', "192.0.2.7", "http://mirror.example:5000"),
    ],
)  # fmt: skip
def test_forwarded_of_one_proxy(value: str, address: str, url: str) -> None:
    """RFC 7239: quotes, ports, brackets, any case, ``unknown``, hidden names, unusable values."""
    assert seen(("Forwarded", value)) == (address, url)


@pytest.mark.parametrize(
    "value",
    [
        "",
        ";",
        "for",
        "for=",
        "for=192.0.2.7 proto=https",
        "for=192.0.2.7;for=192.0.2.8",
        "for=192.0.2.7;proto=https;proto=https",
        'for="192.0.2.7',
        'for="192.0.2.7\\"',
        "for=192.0.2.7;proto",
        "for=192.0.2.07",
        'for="[fe80::1%eth0]"',
        'for="[192.0.2.7"',
    ],
)
def test_a_malformed_forwarded_says_nothing(value: str) -> None:
    """The walk ends at the last address that is known: the peer's."""
    assert seen(("Forwarded", value)) == (PROXY, "http://mirror.example:5000")


def test_the_walk_takes_the_first_untrusted_hop_from_the_right() -> None:
    """What stands left of that hop is the client's own claim."""
    forwarded = (
        "for=198.51.100.1;host=evil.example;proto=http, for=192.0.2.7;host=hub.example;proto=https"
    )
    expected = ("192.0.2.7", "https://hub.example")
    assert seen(("Forwarded", forwarded), ("forwarded", "for=10.0.0.2;host=inner:80")) == expected
    assert seen(
        ("X-Forwarded-For", "198.51.100.1, 192.0.2.7, 10.0.0.2"),
        ("X-Forwarded-Proto", "https, http"),
        ("X-Forwarded-Host", "hub.example"),
        ("X-Forwarded-Host", "inner:80"),
    ) == expected  # fmt: skip


def test_one_scheme_for_many_hops() -> None:
    """Proxies that only the nearest of which names scheme and host are believed, too."""
    assert seen(
        ("X-Forwarded-For", "192.0.2.7, 10.0.0.2"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "hub.example"),
    ) == ("192.0.2.7", "https://hub.example")


def test_only_trusted_hops_leave_the_outermost() -> None:
    """A client within the trusted networks is the leftmost hop."""
    assert seen(("X-Forwarded-For", "10.1.1.1, 10.0.0.2"))[0] == "10.1.1.1"


@pytest.mark.parametrize("bad", ["", "unknown", "_x", "garbage", "1.2.3", "[::1", "192.0.2.7 x"])
def test_a_malformed_hop_ends_the_walk(bad: str) -> None:
    """Nothing left of a hop that can't be read is believed: the last good hop is the client."""
    assert seen(("X-Forwarded-For", f"192.0.2.7, {bad}, 10.0.0.2"))[0] == "10.0.0.2"
    assert seen(("X-Forwarded-For", f"192.0.2.7, {bad}"))[0] == PROXY


@pytest.mark.parametrize(
    "node",
    ["192.0.2.7", "192.0.2.7:4711", " 192.0.2.7\t", "::ffff:192.0.2.7", "[::ffff:192.0.2.7]:1"],
)
def test_spellings_of_a_hop(node: str) -> None:
    """With and without a port, bare and in brackets, mapped or not."""
    assert seen(("X-Forwarded-For", node))[0] == "192.0.2.7"


@pytest.mark.parametrize("claim", ['for="', 'for=198.51.100.1;x="', "for=198.51.100.1;;;", '\\"'])
def test_a_client_cannot_hide_what_the_proxy_adds(claim: str) -> None:
    """A quote left open by the client does not swallow the proxy's own element."""
    assert seen(("Forwarded", f'{claim}, for="[2001:db8::7]:1"'))[0] == "2001:db8::7"


def test_x_forwarded_for_outweighs_forwarded() -> None:
    """A proxy that sets the common fields passes on the client's ``Forwarded`` as it came."""
    assert seen(("Forwarded", "for=198.51.100.1"), ("X-Forwarded-For", "192.0.2.7"))[0] == (
        "192.0.2.7"
    )
    assert seen(("Forwarded", "for=192.0.2.7"), ("X-Forwarded-Proto", "https")) == (
        "192.0.2.7",
        "http://mirror.example:5000",
    )


def test_a_configured_url_is_always_the_url() -> None:
    """``public_url`` outweighs Host and proxies; the address is still the client's."""
    assert seen(
        ("X-Forwarded-For", "192.0.2.7"),
        ("X-Forwarded-Host", "other.example"),
        public_url="https://hub.example",
    ) == ("192.0.2.7", "https://hub.example")


nodes = st.ip_addresses().map(str) | st.text(max_size=12)
fields = st.tuples(
    st.sampled_from(["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]),
    st.text(st.characters(max_codepoint=0xFF))
    | st.lists(nodes.map('for="{}"'.format) | nodes, max_size=4).map(", ".join),
)


@given(st.lists(fields, max_size=5))
def test_nothing_unvalidated_comes_out(headers: list[tuple[str, str]]) -> None:
    """Whatever a proxy says, the address is one, and the URL is http(s) and a host."""
    address, url = seen(*headers)
    ip_address(address)
    scheme, _, host = url.partition("://")
    assert scheme in ("http", "https")
    assert parse_host(host) == host


@given(st.ip_addresses(), st.text('for=",;\\[]:. 0a'))
def test_the_clients_own_claims_change_nothing(address: object, claim: str) -> None:
    """Left of what the trusted proxy has added, any text may stand."""
    node = f"[{address}]:1" if ":" in str(address) else str(address)
    alone = seen(("Forwarded", f'for="{node}"'))
    if ip_address(alone[0]) not in TRUSTED[0] and ip_address(alone[0]) not in TRUSTED[1]:
        assert seen(("Forwarded", f'{claim},for="{node}"')) == alone


@pytest.mark.parametrize(
    "text",
    [
        "localhost",
        "LOCALHOST:5000",
        "mirror.example.",
        "a_b-c.example:1",
        "127.0.0.1:65535",
        "[::1]",
        "[2001:db8::1]:443",
        "[::ffff:192.0.2.1]:80",
    ],
)
def test_hosts(text: str) -> None:
    """Names, addresses and ports; the result is in lower case."""
    assert parse_host(text) == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "a:",
        "a:0",
        "a:080",
        "a:65536",
        "a:1a",
        "a:80:80",
        "a b",
        "a/b",
        "a\\b",
        "user@a",
        "a?b",
        "a#b",
        "a,b",
        "a..b",
        ".a",
        "-a",
        "a%2eb",
        "ä.example",
        "a\n",
        "a\r\nb",
        "a\x00",
        "::1",
        "[::1",
        "[]",
        "[::1]x",
        "[fe80::1%eth0]",
        "[1.2.3.4]",
        "[1:2]",
        "[:::]",
        "[::1]:",
        'a"b',
        "<a>",
        "a" * 256,
        "a:\u0665",
    ],
)
def test_no_hosts(text: str) -> None:
    """Everything else, and every way out of a URL or a header."""
    assert parse_host(text) is None


labels = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,10}[A-Za-z0-9_])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=5).map(".".join)
hosts = names | st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map("[{}]".format)


@given(hosts, st.none() | st.integers(1, 65535))
def test_every_host_of_the_grammar_is_one(host: str, port: int | None) -> None:
    """Names and addresses, with and without a port."""
    text = host if port is None else f"{host}:{port}"
    assert parse_host(text) == text.lower()


@given(st.text() | st.text("a.:[]1%-_@/ ", max_size=20))
def test_any_text_is_a_host_or_none(text: str) -> None:
    """Nothing raises, and what comes out has only harmless characters and is a host again."""
    host = parse_host(text)
    if host is not None:
        assert set(host) <= set("abcdefghijklmnopqrstuvwxyz0123456789-._:[]")
        assert parse_host(host) == host
