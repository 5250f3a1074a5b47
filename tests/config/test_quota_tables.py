"""Tests of the parsers of networks, clients' limits and reserves."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.config.problems import PartsInvalid
from hubmirror.config.quota_tables import client_limits, named_networks, reserves
from hubmirror.quota.rules import ClientLimits, Reserve

Parser = Callable[[object], object]

_KEYS = st.sampled_from(
    ["network", "user", "share", "networks", "users", "requests_per_day", "bytes_per_minute"]
)
_LEAVES = st.one_of(
    st.text(),
    st.sampled_from(["20%", "0%", "10.0.0.0/8", "::1", "5GiB", "ci"]),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
)
#: What TOML can hold, and often something of the right shape.
ANYTHING = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_KEYS | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


def wrong(parse: Parser, raw: object) -> dict[str, str]:
    """What is wrong with the parts of ``raw``, by their keys."""
    with pytest.raises(PartsInvalid) as caught:
        parse(raw)
    return {problem.key: problem.wrong for problem in caught.value.problems}


def test_networks() -> None:
    """A name has one or several."""
    assert named_networks({"ci": ["10.1.0.0/16", "::1"], "office.2": "192.0.2.7"}) == {
        "ci": (ip_network("10.1.0.0/16"), ip_network("::1")),
        "office.2": (ip_network("192.0.2.7/32"),),
    }
    assert named_networks({}) == {}


def test_what_are_no_networks() -> None:
    """Each name that is wrong is told, and each whose networks are."""
    found = wrong(
        named_networks, {"ci": "10.1.2.3/8", "a b": "::1", "": "::1", "x\n": "::1", "dev": 5}
    )
    assert set(found) == {".ci", ".'a b'", ".''", ".'x\\n'", ".dev"}
    assert "host bits" in found[".ci"]
    with pytest.raises(ValueError, match="not a table"):
        named_networks(["10.0.0.0/8"])


def test_client_limits() -> None:
    """Of a network, of a user, of each address."""
    raw = [
        {"network": "ci", "requests_per_day": 20000, "bytes_per_day": "50GiB"},
        {"user": "alice", "requests_per_minute": "60"},
        {"requests_per_minute": 0, "bytes_per_minute": 5},
    ]
    assert client_limits(raw) == (
        ClientLimits("ci", None, 20000, 0, 50 * 2**30, 0),
        ClientLimits(None, "alice", 0, 60, 0, 0),
        ClientLimits(None, None, 0, 0, 0, 5),
    )


def test_what_are_no_client_limits() -> None:
    """All that is wrong is told, with the number of its table from 0."""
    raw = [
        {"network": "ci", "user": "alice", "requests_per_day": 1},
        {"network": "ci"},
        {"network": "", "requests_per_day": -1, "bytes_per_day": "much", "request_per_day": 5},
        5,
    ]
    found = wrong(client_limits, raw)
    assert found == {
        "[0]": "network and user are both set: a table is for one of them",
        "[1]": "it limits nothing",
        "[2].network": "it is empty",
        "[2].requests_per_day": "-1 is out of range",
        "[2].bytes_per_day": "'much' is not a size",
        "[2].request_per_day": "there is no such key; did you mean requests_per_day?",
        "[3]": "5 is not a table",
    }
    with pytest.raises(ValueError, match="not a list of tables"):
        client_limits({"network": "ci"})


def test_two_limits_for_the_same_clients() -> None:
    """Which of them should count?"""
    one = {"requests_per_day": 1}
    raw = [{"user": "a", **one}, one, {"network": "a", **one}, one, {"user": "a", **one}]
    assert wrong(client_limits, raw) == {
        "[3]": "it is for the same clients as [1]",
        "[4]": "it is for the same clients as [0]",
    }


def test_reserves() -> None:
    """A share and whose it is; thirds are shares, too."""
    raw = [
        {"share": "20%", "networks": ["production", "ops"], "users": "alice"},
        {"share": "33.3%", "users": ["bob"]},
        {"share": "46.7%", "networks": "ci"},
    ]
    assert reserves(raw) == (
        Reserve(20, ("production", "ops"), ("alice",)),
        Reserve(33.3, (), ("bob",)),
        Reserve(46.7, ("ci",), ()),
    )


def test_what_are_no_reserves() -> None:
    """All that is wrong is told."""
    raw = [
        {"share": "20%"},
        {"networks": "ci"},
        {"share": 20, "networks": "ci"},
        {"share": "120%", "networks": [5], "percent": 1},
        {"share": "10%", "networks": [], "users": ""},
    ]
    assert wrong(reserves, raw) == {
        "[0]": "networks or users are missing: nobody could spend it",
        "[1]": "share is missing",
        "[2].share": "20 is not a share such as 20%",
        "[3].share": "'120%' is out of range",
        "[3].networks": "5 is not text",
        "[3].percent": "there is no such key",
        "[4]": "networks or users are missing: nobody could spend it",
    }
    with pytest.raises(ValueError, match="more than 100%"):
        reserves([{"share": "60%", "users": "a"}, {"share": "40.1%", "users": "b"}])


@given(st.sampled_from([named_networks, client_limits, reserves]), ANYTHING)
def test_a_parser_fails_in_words_on_one_line(parse: Parser, raw: object) -> None:
    """Whatever comes, a parser returns or raises ``ValueError`` with printable reasons."""
    assert failure_of(parse, raw).isprintable()


def failure_of(parse: Parser, raw: object) -> str:
    """Why ``raw`` is refused, or nothing."""
    try:
        parse(raw)
    except PartsInvalid as error:
        return "; ".join(map(str, error.problems))
    except ValueError as error:
        return str(error)
    return ""
