"""Parsers of what says who may use the mirror: networks by address or name, and rules.

As in ``quota_tables``: a parser raises ``ValueError`` with what is wrong with the whole, or
``PartsInvalid`` with all that is wrong within it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from hubmirror.access.patterns import check_pattern
from hubmirror.access.rules import Action, NetworkOrName, Rule
from hubmirror.config.addresses import networks
from hubmirror.config.quota_tables import Field, is_name, parsed_all
from hubmirror.config.values import choice, shown, text, texts

__all__ = ["access_rules", "networks_or_names", "repository_patterns"]

#: The longest message to a client, in characters.
MAX_MESSAGE: Final = 500


def networks_or_names(raw: object) -> tuple[NetworkOrName, ...]:
    """Networks in CIDR notation, addresses, and names that ``networks`` may have."""
    return tuple(map(_network_or_name, texts(raw)))


def access_rules(raw: object) -> tuple[Rule, ...]:
    """A list of tables."""
    return tuple(Rule(**table) for table in parsed_all(raw, _RULE, _wrong_with_rule))


def repository_patterns(raw: object) -> tuple[str, ...]:
    """Patterns of ``registry/name``, one at least."""
    found = _patterns(raw)
    for pattern in found:
        if "/" not in pattern and pattern != "**":
            raise ValueError(f"{shown(pattern)} has no registry: docker.io/…, or **/… for any")
        if pattern != pattern.lower():
            raise ValueError(f"{shown(pattern)} has capitals, and no repository has")
    return found


def _network_or_name(written: str) -> NetworkOrName:
    try:
        [network] = networks(written)
    except ValueError:
        if is_name(written) and not written[0].isdigit():
            return written
        raise
    return network


def _patterns(raw: object) -> tuple[str, ...]:
    found = tuple(map(check_pattern, texts(raw)))
    if not found:
        raise ValueError("it is empty: leave it out to mean all")
    return found


def _some_networks(raw: object) -> tuple[NetworkOrName, ...]:
    found = networks_or_names(raw)
    if not found:
        raise ValueError("it is empty: leave it out to mean all")
    return found


def _message(raw: object) -> str:
    written = text(raw)
    if not 0 < len(written) <= MAX_MESSAGE:
        raise ValueError(f"it has not 1 to {MAX_MESSAGE} characters")
    return written


_PATTERN: Final = "* is any run without a slash, ** any run, ? one character"
_RULE: Final[Mapping[str, Field]] = {
    "action": Field(choice(*get_args(Action)), "allow, deny or block"),
    "repositories": Field(repository_patterns, f"patterns such as docker.io/library/*; {_PATTERN}"),
    "tags": Field(_patterns, f"patterns such as 1.*; {_PATTERN}"),
    "users": Field(_patterns, f"patterns such as ci-*; {_PATTERN}"),
    "networks": Field(_some_networks, "networks in CIDR notation, and names of [networks]"),
    "media_types": Field(_patterns, f"patterns such as application/vnd.oci.**; {_PATTERN}"),
    "platforms": Field(_patterns, f"patterns such as linux/arm/**; {_PATTERN}"),
    "message": Field(_message, f"a sentence, of {MAX_MESSAGE} characters at most"),
}


def _wrong_with_rule(values: Mapping[str, Any]) -> str:
    if "action" not in values:
        return "action is missing: allow, deny or block"
    if "message" in values and values["action"] != "block":
        return "only a rule that blocks has a message"
    return ""
