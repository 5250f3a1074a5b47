"""Tests of what is wrong between settings that are each right.

Certificates, credentials and the listeners of clients are in ``test_load.py``.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from hubmirror.config.addresses import listen_addresses
from hubmirror.config.disagreements import Settled, disagreements
from hubmirror.quota.rules import ClientLimits, Reserve

CI = {"ci": (ip_network("10.1.0.0/16"),)}


def told(**values: Any) -> list[str]:
    """What is wrong between these values of a file."""
    names = (*values, "quota_client", "quota_reserve", "networks")
    settled = Settled(
        values,
        dict.fromkeys(names, "file x"),
        {**{name: name for name in names}, "quota_reserve": "quota.reserve"},
    )
    return [str(problem) for problem in disagreements(settled)]


def test_nothing_is_wrong_between_nothing() -> None:
    """What is not right by itself is missing here, and told elsewhere."""
    assert told() == []


@pytest.mark.parametrize(("name", "client"), [("http", ":80"), ("https", "[::1]:80")])
def test_the_monitors_listeners_are_its_own(name: str, client: str) -> None:
    """One that clients have is a problem of the monitor's; free ports may be many."""
    listed = listen_addresses(client)
    assert told(**{name: listed, "monitor": listed}) == [
        f"monitor: {client} is listed twice (file x)"
    ]
    assert told(http=listen_addresses(":0"), monitor=listen_addresses(":0,:1")) == []


def test_networks_that_there_are_not() -> None:
    """Each place is told, and what may have been meant."""
    limits = ClientLimits(network="cii", requests_per_day=1)
    found = told(
        networks=CI,
        quota_client=(ClientLimits(user="a", requests_per_day=1), limits),
        quota_reserve=(Reserve(1, ("ci", "production")),),
    )
    assert found == [
        "quota_client[1].network: [networks] has no 'cii'; did you mean ci? (file x)",
        "quota.reserve[0].networks: [networks] has no 'production' (file x)",
    ]


def test_networks_that_are_wrong_hide_nothing_else() -> None:
    """Which names there would be is not known then."""
    assert told(quota_reserve=(Reserve(1, ("ci",)),)) == []


def test_a_network_has_one_name() -> None:
    """Two for the very same are a problem; one within another is not, nor one twice."""
    (inner,) = CI["ci"]
    assert told(networks={**CI, "dev": (ip_network("10.0.0.0/8"), inner)}) == [
        "networks.dev: 10.1.0.0/16 is called ci, too; allowed: one name for each (file x)"
    ]
    assert told(networks={"ci": (inner, inner), "dev": (ip_network("10.0.0.0/8"),)}) == []


ACME = {
    "acme": ("hub.example.org",),
    "https": listen_addresses(":443"),
    "acme_directory": "https://acme-v02.api.letsencrypt.org/directory",
}


def test_a_certificate_may_come_from_elsewhere() -> None:
    """For the name by which clients know the mirror."""
    assert told(**ACME) == told(**ACME, public_url="https://hub.example.org:8443") == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"https": ()}, "https is off"),
        ({"certificate": "x"}, "certificate too"),
        ({"acme": ("hub.local",)}, "hub.local is not a name of the public DNS"),
        ({"public_url": "https://other.example.org"}, "it lacks other.example.org"),
    ],
)
def test_what_can_not_be_beside_it(values: dict[str, Any], words: str) -> None:
    """Each is told at the setting that names the hosts."""
    (problem,) = told(**{**ACME, **values})
    assert problem.startswith("acme")
    assert words in problem


def test_a_ca_of_ones_own_may_know_any_name() -> None:
    """Only public ones can't."""
    own = {**ACME, "acme": ("hub", "hub.lan"), "acme_directory": "https://ca.lan/dir"}
    assert told(**own) == []


@pytest.mark.parametrize(
    ("given", "missing"),
    [("acme_eab_kid", "acme_eab_key_file"), ("acme_eab_key_file", "acme_eab_kid")],
)
def test_an_account_has_an_id_and_a_key(given: str, missing: str) -> None:
    """Or neither."""
    pair = {"acme_eab_kid": None, "acme_eab_key_file": None}
    assert told(**ACME, **pair) == told(**ACME, **dict.fromkeys(pair, "x")) == []
    (problem,) = told(**ACME, **{**pair, given: "x"})
    assert problem.startswith(f"{missing}: it is missing, but {given} is set")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"https": ()}, "https is off"),
        ({"https": listen_addresses("127.0.0.1:0"), "public_url": None}, "is not known before"),
    ],
)
def test_a_redirect_leads_somewhere(values: dict[str, Any], words: str) -> None:
    """To a port that is known."""
    (problem,) = told(https_redirect=True, **values)
    assert problem.startswith("https_redirect")
    assert words in problem
    known = {"https": listen_addresses("127.0.0.1:0"), "public_url": "https://hub.example.org"}
    assert told(https_redirect=True, **known) == []
