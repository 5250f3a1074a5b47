"""Whom a request is counted for: addresses, the networks that hold them, users."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from hubmirror.quota.spender import OURSELVES, REMEMBERED, Spender, Spenders, address_key

NETWORKS = {
    "office": (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")),
    "ci": (ip_network("10.1.0.0/16"),),
    "runner": (ip_network("10.1.2.3/32"),),
    "lab": (ip_network("2001:db8:1::/48"),),
}


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:0:0:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", OURSELVES),
        ("local", "local"),
        ("192.0.2.999", "192.0.2.999"),
    ],
)
def test_an_address_is_counted_under_its_key(address: str, key: str) -> None:
    """IPv4 each for itself, written in IPv6, too; of IPv6 a /64; a name of our own as it is."""
    assert address_key(address) == key


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "runner"),
        ("::ffff:10.1.2.3", "runner"),
        ("10.1.2.4", "ci"),
        ("10.2.0.1", "office"),
        ("2001:db8:1::1", "lab"),
        ("2001:db8:2::1", "office"),
        ("192.0.2.1", None),
        ("local", None),
        ("", None),
    ],
)
def test_the_narrowest_network_counts(address: str, network: str | None) -> None:
    """Of all that hold an address, in whatever order they are named."""
    assert Spenders(NETWORKS).network_of(address) == network
    assert Spenders(dict(reversed(NETWORKS.items()))).network_of(address) == network


def test_a_spender_has_all_three() -> None:
    """The address by its key, the network of the very address, the user."""
    assert Spenders(NETWORKS).of("2001:db8:1::1", "alice") == Spender(
        "2001:db8:1::/64", "lab", "alice"
    )


def test_a_user_without_a_name_is_none() -> None:
    """An empty name would be that of the sum of all others."""
    assert Spenders({}).of("192.0.2.1", "").user is None


def test_the_memory_of_clients_is_bounded_and_right() -> None:
    """Whoever comes after very many others is found as before."""
    spenders = Spenders(NETWORKS)
    before = spenders.of("10.1.2.3", "alice")
    for number in range(REMEMBERED + 10):
        spenders.of("10.1.2.4", f"user{number}")
    assert spenders.of("10.1.2.3", "alice") == before
    assert spenders.of("10.1.2.3") == Spender("10.1.2.3", "runner")
