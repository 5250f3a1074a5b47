"""Tests of the parsers of networks and rules: all that is wrong is told, and where."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from hubmirror.config.access_tables import access_rules, networks_or_names
from hubmirror.config.problems import PartsInvalid


def test_networks_and_names() -> None:
    assert networks_or_names("10.0.0.0/8, ci") == (ip_network("10.0.0.0/8"), "ci")


@pytest.mark.parametrize("raw", ["10.0.0.1/8", "10.0.0", "a b", 7])
def test_what_is_neither(raw: object) -> None:
    """What looks like an address is not taken for a name."""
    with pytest.raises(ValueError, match=r"is not|has host bits"):
        networks_or_names(raw)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "[0] action is missing"),
        ({"action": "reject"}, "[0].action"),
        ({"action": "deny", "message": "x"}, "[0] only a rule that blocks has a message"),
        ({"action": "deny", "repository": ["a/b"]}, "[0].repository there is no such key"),
        ({"action": "deny", "repositories": ["busybox"]}, "has no registry"),
        ({"action": "deny", "repositories": ["docker.io/A"]}, "has capitals"),
        ({"action": "deny", "repositories": []}, "[0].repositories it is empty"),
        ({"action": "deny", "networks": []}, "[0].networks it is empty"),
        ({"action": "deny", "tags": ["a***"]}, "[0].tags"),
        ({"action": "block", "message": ""}, "[0].message"),
    ],
)
def test_what_is_wrong_with_a_rule(table: object, told: str) -> None:
    with pytest.raises(PartsInvalid) as caught:
        access_rules([table])
    assert told in str(caught.value)


def test_no_list_of_rules() -> None:
    with pytest.raises(ValueError, match="is not a list of tables"):
        access_rules({"action": "deny"})
