"""Tests of the rules: the first that matches counts, and what is not known counts for a client."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.access.rules import Matter, Rule, Rulebook, Verdict, Visitor, holds, resolve

ALICE = Visitor("10.0.0.1", "alice")
NOBODY = Visitor("10.0.0.1")
BUSYBOX = Matter("docker.io/library/busybox")
CI = {"ci": (ip_network("10.1.0.0/16"), ip_network("2001:db8::/32"))}


def action(rules: list[Rule], visitor: Visitor = ALICE, matter: Matter = BUSYBOX) -> str:
    """What ``rules`` come to."""
    return Rulebook(rules, CI).judge(visitor, matter).action


def test_without_rules_all_is_allowed() -> None:
    assert action([]) == "allow"


def test_the_first_that_matches_counts() -> None:
    """Those behind it are not looked at."""
    first = Rule("allow", repositories=("docker.io/library/*",))
    rest = Rule("deny")
    assert action([first, rest]) == "allow"
    assert action([first, rest], matter=Matter("docker.io/evil/x")) == "deny"
    assert action([rest, first]) == "deny"


def test_all_parts_of_a_rule_have_to_match() -> None:
    """One that does not is enough."""
    rule = Rule("block", users=("alice",), networks=("ci",), repositories=("**/busybox",))
    inside = Visitor("10.1.2.3", "alice")
    assert action([rule], inside) == "block"
    for other in (evolve(inside, user="bob"), evolve(inside, address="10.2.0.0"), NOBODY):
        assert action([rule], other) == "allow"
    assert action([rule], inside, Matter("docker.io/library/x")) == "allow"


@pytest.mark.parametrize(
    ("address", "is_in"),
    [
        *(("10.1.0.1", True), ("::ffff:10.1.0.1", True), ("2001:db8::1", True)),
        *(("10.2.0.1", False), ("2001:db9::1", False), ("nonsense", False), ("", False)),
    ],
)
def test_networks(address: str, is_in: bool) -> None:
    """IPv4 within IPv6 is IPv4."""
    assert action([Rule("deny", networks=("ci",))], Visitor(address)) == (
        "deny" if is_in else "allow"
    )


def test_nobody_is_no_user() -> None:
    """Not even of a pattern for all."""
    assert action([Rule("allow", users=("**",)), Rule("deny")], NOBODY) == "deny"
    assert action([Rule("allow", users=("**",)), Rule("deny")], ALICE) == "allow"


def test_a_tag_that_is_not_known_counts_for_the_client() -> None:
    """What an allowed tag holds is asked for by digest; a blocked tag is blocked by its name."""
    allowed = [Rule("allow", tags=("1.*",)), Rule("deny")]
    assert action(allowed, matter=evolve(BUSYBOX, tag="1.36")) == "allow"
    assert action(allowed, matter=evolve(BUSYBOX, tag="latest")) == "deny"
    assert action(allowed) == "allow"
    blocked = [Rule("block", tags=("latest",))]
    assert action(blocked, matter=evolve(BUSYBOX, tag="latest")) == "block"
    assert action(blocked) == "allow"


@pytest.mark.parametrize("part", ["media_type", "platform"])
def test_so_does_what_only_an_answer_tells(part: str) -> None:
    """The rules are asked again once it is known."""
    rules = [Rule("block", **{f"{part}s": ("linux/arm/*",)})]  # type: ignore[arg-type]
    known: dict[str, Any] = {part: "linux/arm/v7"}
    other: dict[str, Any] = {part: "linux/amd64"}
    assert action(rules) == "allow"
    assert action(rules, matter=evolve(BUSYBOX, **known)) == "block"
    assert action(rules, matter=evolve(BUSYBOX, **other)) == "allow"
    book = Rulebook(rules, {})
    assert book.is_about_content
    assert book.is_about_platforms == (part == "platform")


def test_the_list_of_all_repositories_is_in_a_rule_for_all_alone() -> None:
    """Who may have some must not see the names of the others."""
    some = [Rule("allow", repositories=("docker.io/team/*",)), Rule("deny")]
    assert action(some, matter=Matter(None)) == "deny"
    assert action([Rule("deny", repositories=("docker.io/x/*",))], matter=Matter(None)) == "allow"
    assert action([Rule("deny", repositories=("**",))], matter=Matter(None)) == "deny"


def test_a_message_comes_along() -> None:
    book = Rulebook([Rule("block", message="not today")], {})
    assert book.judge(NOBODY, BUSYBOX) == Verdict("block", "not today")


RULES = st.lists(
    st.builds(
        Rule,
        st.sampled_from(["allow", "deny", "block"]),
        st.lists(st.sampled_from(["a/*", "**", "a/b"]), max_size=2).map(tuple),
        st.lists(st.sampled_from(["1.*", "latest"]), max_size=2).map(tuple),
        st.lists(st.sampled_from(["alice", "*"]), max_size=1).map(tuple),
    ),
    max_size=4,
)
MATTERS = st.builds(
    Matter, st.sampled_from(["a/b", "a/c", "d", None]), st.sampled_from([None, "1.0", "latest"])
)
VISITORS = st.sampled_from([ALICE, NOBODY])


@given(RULES, VISITORS, MATTERS)
def test_what_is_not_known_never_refuses_more(
    rules: list[Rule], visitor: Visitor, matter: Matter
) -> None:
    """Who is refused without a tag is refused with any; and asking twice changes nothing."""
    book = Rulebook(rules, {})
    first = book.judge(visitor, matter)
    assert book.judge(visitor, matter) == first
    if action(rules, visitor, evolve(matter, tag=None)) != "allow":
        assert first.action != "allow"


@given(RULES, VISITORS, MATTERS)
def test_rules_behind_one_for_all_change_nothing(
    rules: list[Rule], visitor: Visitor, matter: Matter
) -> None:
    assert action([Rule("block"), *rules], visitor, matter) == "block"
    assert action([Rule("allow"), *rules], visitor, matter) == "allow"


def test_names_of_networks() -> None:
    """A name stands for all that it was given to, and one that is not known for none."""
    one = ip_network("192.0.2.0/24")
    assert tuple(resolve([one, "ci", "other"], CI)) == (one, *CI["ci"])
    assert holds([one], "192.0.2.7")
    assert not holds([], "192.0.2.7")
