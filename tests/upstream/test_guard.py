"""Tests of hubmirror.upstream.guard."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.errors import UpstreamRefused
from hubmirror.upstream.guard import AddressGuard, is_literal

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "fd12::1",
    "100.64.0.1",
    "169.254.1.1",
    "169.254.169.254",
    "168.63.129.16",
    "100.100.100.200",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.9",
    "2001:db8::1",
    "fec0::1",
    "::7f00:1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
]
GLOBAL = ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::"]


def allows(guard: AddressGuard, host: str, address: str) -> bool:
    try:
        return guard.permitted(host, [address]) == (address,)
    except UpstreamRefused:
        return False


@pytest.mark.parametrize("address", PRIVATE)
def test_refuses_what_is_not_global(address: str) -> None:
    """A redirect to a place that the internet does not have is refused."""
    with pytest.raises(UpstreamRefused) as refused:
        AddressGuard().permitted("cdn.example", [address])
    assert "cdn.example" in refused.value.message
    assert address in refused.value.message
    assert "allow_private" in refused.value.message


@pytest.mark.parametrize("address", GLOBAL)
def test_permits_what_is_global(address: str) -> None:
    """Public addresses pass, also inside the notations that carry IPv4 over IPv6."""
    assert allows(AddressGuard(), "cdn.example", address)


def test_keeps_the_public_ones_of_several() -> None:
    """A name with a public and a private address is connected to at the public one only."""
    guard = AddressGuard()
    assert guard.permitted("cdn.example", ["10.0.0.1", "8.8.8.8"]) == ("8.8.8.8",)


def test_fake_ip_users_are_told_what_to_set() -> None:
    """Behind a fake-IP DNS the error names the network to allow."""
    with pytest.raises(UpstreamRefused, match=r'allow_private = \["198\.18\.0\.0/15"\]'):
        AddressGuard().permitted("auth.docker.io", ["198.18.0.7"])


def test_allowed_networks_and_hosts() -> None:
    """allow_private opens a network for every host, and a host for every address."""
    guard = AddressGuard(["198.18.0.0/15", "10.0.0.0/8", "Blobs.Example."])
    assert allows(guard, "auth.docker.io", "198.19.255.255")
    assert allows(guard, "any.example", "::ffff:10.9.9.9")
    assert allows(guard, "blobs.example", "127.0.0.1")
    assert not allows(guard, "other.example", "127.0.0.1")
    assert not allows(guard, "other.example", "192.168.0.1")


def test_allowed_address_without_a_mask() -> None:
    """allow_private takes a single address as a network of one."""
    guard = AddressGuard(["192.168.7.7"])
    assert allows(guard, "x.example", "192.168.7.7")
    assert not allows(guard, "x.example", "192.168.7.8")


def test_malformed_network() -> None:
    """A network that is none is an error at once, not a host name that never matches."""
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        AddressGuard(["10.0.0.0/99"])


@pytest.mark.parametrize(
    ("own", "near", "far"),
    [
        ("127.0.0.1", "127.0.0.9", "10.0.0.1"),
        ("::1", "127.0.0.1", "192.168.0.1"),
        ("192.168.0.2", "10.0.0.1", "127.0.0.1"),
        ("fd12::1", "10.0.0.1", "::1"),
        ("100.64.0.1", "100.64.0.2", "10.0.0.1"),
        ("198.18.0.1", "198.18.0.2", "10.0.0.1"),
        ("8.8.8.8", "9.9.9.9", "10.0.0.1"),
    ],
)
def test_upstream_at_home(own: str, near: str, far: str) -> None:
    """What the configured upstream's own address is like, its realm's and blobs' may be."""
    guard = AddressGuard(own_hosts=["Registry.Home"])
    assert allows(guard, "registry.home", own)
    assert allows(guard, "blobs.home", near)
    assert not allows(guard, "blobs.home", far)
    assert not allows(guard, "blobs.home", "169.254.169.254")


def test_home_is_not_assumed() -> None:
    """Nothing private is right before the upstream itself was found at such an address."""
    guard = AddressGuard(own_hosts=["registry.home"])
    assert not allows(guard, "blobs.home", "127.0.0.1")


def test_home_is_forgotten() -> None:
    """When the upstream's name leads to the internet again, private addresses are wrong again."""
    guard = AddressGuard(own_hosts=["registry.example"])
    assert allows(guard, "registry.example", "127.0.0.1")
    assert allows(guard, "registry.example", "8.8.8.8")
    assert not allows(guard, "blobs.example", "127.0.0.1")


@pytest.mark.parametrize("own", ["169.254.0.5", "169.254.169.254"])
def test_link_local_upstream_teaches_nothing(own: str) -> None:
    """A configured upstream may be anywhere, but link-local is never right for others."""
    guard = AddressGuard(own_hosts=["odd.example"])
    assert allows(guard, "odd.example", own)
    assert not allows(guard, "other.example", own)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "127.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "metadata.google.internal",
        "169.254.169.254",
        "::ffff:127.0.0.1",
    ],
)
def test_names_before_a_proxy(host: str) -> None:
    """A proxy is not asked for what is plainly a private address, however it is spelt."""
    with pytest.raises(UpstreamRefused):
        AddressGuard().check_name(host)


@pytest.mark.parametrize("host", ["auth.docker.io", "8.8.8.8", "localhost.example", "1.example"])
def test_other_names_before_a_proxy(host: str) -> None:
    """Any other name is the proxy's to find."""
    AddressGuard().check_name(host)


def test_own_name_before_a_proxy() -> None:
    """A configured upstream at a private address passes, and its kind with it."""
    guard = AddressGuard(own_hosts=["127.0.0.1"])
    guard.check_name("127.0.0.1")
    guard.check_name("localhost")
    with pytest.raises(UpstreamRefused):
        guard.check_name("10.0.0.1")


@given(st.integers(0, 2**32 - 1))
def test_ipv4_in_ipv6_is_judged_as_ipv4(number: int) -> None:
    """No notation of an IPv4 address passes where the address itself does not."""
    inner = IPv4Address(number)
    plain = allows(AddressGuard(), "x.example", str(inner))
    for outer in (
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address((0x64FF9B << 96) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),
    ):
        assert allows(AddressGuard(), "x.example", str(outer)) == plain


@given(st.ip_addresses())
def test_nothing_passes_that_python_calls_private(address: IPv4Address | IPv6Address) -> None:
    """What passes is global in the standard library's eyes too."""
    if allows(AddressGuard(), "x.example", str(address)):
        assert not ip_address(address).is_private
        assert not address.is_multicast


def test_literals() -> None:
    """Only the usual notations of an address count as one."""
    assert is_literal("1.2.3.4")
    assert is_literal("::1")
    assert not is_literal("127.1")
    assert not is_literal("a.example")
