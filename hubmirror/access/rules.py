"""An operator's rules: who may have what, the first that matches counts.

A rule may ask for what is not known when a question comes: the tag behind a digest, the type of
a manifest that is still upstream. What is not known counts for the client: a rule that refuses
does not match yet, one that allows does. Where it becomes known, the rules are asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Literal

from attrs import field, frozen

from hubmirror.access.patterns import Patterns
from hubmirror.quota.rules import Network

__all__ = [
    "ALLOWED",
    "Action",
    "Login",
    "Matter",
    "NetworkOrName",
    "Rule",
    "Rulebook",
    "Verdict",
    "Visitor",
    "holds",
    "resolve",
]

#: ``deny`` refuses as if there were nothing, ``block`` with a message.
Action = Literal["allow", "deny", "block"]
#: Whether clients are asked who they are: never; so that rules may let some have more; always.
Login = Literal["off", "optional", "required"]
#: A network, or a name that the operator gave some.
NetworkOrName = Network | str
#: How many verdicts are remembered.
REMEMBERED: Final = 8192


@frozen
class Rule:
    """What ``action`` is for: whatever is within all of the others that are not empty.

    ``repositories`` are patterns of ``registry/name``; ``tags``, ``users``, ``media_types`` and
    ``platforms`` (``linux/arm64/v8``) patterns, too. A pattern of users matches nobody who is not
    known. ``message`` is what a client is told that is blocked.
    """

    action: Action
    repositories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    networks: tuple[NetworkOrName, ...] = ()
    media_types: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    message: str = ""

    @property
    def is_about_content(self) -> bool:
        """Whether it takes an answer to know if it matches."""
        return bool(self.media_types or self.platforms)


@frozen
class Visitor:
    """Who asks: its address, and its user where that is known for sure."""

    address: str
    user: str | None = None


@frozen
class Matter:
    """What is asked for: the repository as ``registry/name`` (None: all of them, as a list), and

    what is known of the manifest, if it is one.
    """

    repository: str | None
    tag: str | None = None
    media_type: str | None = None
    platform: str | None = None


@frozen
class Verdict:
    """What a rule says, or, without one, that nothing speaks against it."""

    action: Action = "allow"
    message: str = ""


ALLOWED: Final = Verdict()

#: Whether a rule's part matches; None where that is not known.
_Test = Callable[[Visitor, Matter], "bool | None"]


class Rulebook:
    """``rules`` in their order; ``networks`` are the names that rules may use."""

    def __init__(self, rules: Sequence[Rule], networks: Mapping[str, Sequence[Network]]) -> None:
        self.is_about_content = any(rule.is_about_content for rule in rules)
        self.is_about_platforms = any(rule.platforms for rule in rules)
        self._rules = [_Compiled.of(rule, networks) for rule in rules]
        self._known: dict[tuple[Visitor, Matter], Verdict] = {}

    def judge(self, visitor: Visitor, matter: Matter) -> Verdict:
        """The verdict of the first rule that matches."""
        if not self._rules:
            return ALLOWED
        known = self._known.get((visitor, matter))
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[visitor, matter] = self._judge(visitor, matter)
        return known

    def _judge(self, visitor: Visitor, matter: Matter) -> Verdict:
        for rule in self._rules:
            if rule.applies(visitor, matter):
                return rule.verdict
        return ALLOWED


@frozen
class _Compiled:
    verdict: Verdict
    tests: tuple[_Test, ...] = field(eq=False)

    @classmethod
    def of(cls, rule: Rule, networks: Mapping[str, Sequence[Network]]) -> _Compiled:
        tests: list[_Test] = []
        if rule.networks:
            tests.append(_of_networks(tuple(resolve(rule.networks, networks))))
        if rule.users:
            tests.append(_of_users(Patterns(rule.users)))
        if rule.repositories:
            tests.append(_of_repositories(rule.repositories))
        for name in ("tags", "media_types", "platforms"):
            if getattr(rule, name):
                tests.append(_of_manifest(name.removesuffix("s"), Patterns(getattr(rule, name))))
        return cls(Verdict(rule.action, rule.message), tuple(tests))

    def applies(self, visitor: Visitor, matter: Matter) -> bool:
        is_known = True
        for test in self.tests:
            found = test(visitor, matter)
            if found is False:
                return False
            is_known = is_known and found is not None
        return is_known or self.verdict.action == "allow"


def _of_networks(networks: tuple[Network, ...]) -> _Test:
    return lambda visitor, _: holds(networks, visitor.address)


def _of_users(patterns: Patterns) -> _Test:
    return lambda visitor, _: visitor.user is not None and patterns.match(visitor.user)


def _of_repositories(written: Sequence[str]) -> _Test:
    patterns, is_for_all = Patterns(written), "**" in written

    def test(_: Visitor, matter: Matter) -> bool:
        return is_for_all if matter.repository is None else patterns.match(matter.repository)

    return test


def _of_manifest(name: str, patterns: Patterns) -> _Test:
    def test(_: Visitor, matter: Matter) -> bool | None:
        value: str | None = getattr(matter, name)
        return None if value is None else patterns.match(value)

    return test


def resolve(
    networks: Iterable[NetworkOrName], names: Mapping[str, Sequence[Network]]
) -> Iterable[Network]:
    """The networks themselves; a name that is not known has none."""
    for one in networks:
        if isinstance(one, str):
            yield from names.get(one, ())
        else:
            yield one


def holds(networks: Sequence[Network], address: str) -> bool:
    """Whether ``address`` is in one of ``networks``; what is no address is in none."""
    ip = _parse(address)
    return ip is not None and any(ip in network for network in networks)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """The address that ``text`` spells; an IPv4 one as such, also within IPv6."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
