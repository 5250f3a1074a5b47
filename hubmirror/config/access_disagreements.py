"""What is wrong between the settings of who may use the mirror."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hubmirror.config.problems import Problem
from hubmirror.config.settled import Settled

__all__ = ["ACCESS_CHECKS", "access_networks"]


def access_networks(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The setting, the part of it, and the network that it names."""
    for name in ("access_allow", "access_deny"):
        for one in values.get(name, ()):
            if isinstance(one, str):
                yield name, "", one
    for number, rule in enumerate(values.get("access_rule", ())):
        for one in rule.networks:
            if isinstance(one, str):
                yield "access_rule", f"[{number}].networks", one


def _unused_users(settled: Settled) -> Iterator[Problem]:
    """A file of users whom nobody asks for their passwords."""
    values = settled.values
    if values.get("access_users") is not None and values.get("access_login") == "off":
        wrong = "it is set, but nobody logs in: say access_login = required, or optional"
        yield settled.problem("access_users", wrong)


def _client_certificates(settled: Settled) -> Iterator[Problem]:
    """Certificates of clients without a CA, or without a listener to show them to."""
    values = settled.values
    if "client_certificates" not in values or "client_ca" not in values:
        return
    is_asked, has_ca = values["client_certificates"] != "off", values["client_ca"] is not None
    if is_asked and not has_ca:
        yield settled.problem("client_certificates", "client_ca is missing, whose they would be")
    if has_ca and not is_asked:
        wrong = "it is set, but client_certificates is off"
        yield settled.problem("client_ca", wrong)
    if is_asked and values.get("https") == ():
        yield settled.problem("client_certificates", "https is off, and http knows of none")


def _unknown_users(settled: Settled) -> Iterator[Problem]:
    """Rules for users where nobody can be one."""
    values = settled.values
    if values.get("access_login") != "off" or values.get("client_certificates") != "off":
        return
    for number, rule in enumerate(values.get("access_rule", ())):
        if rule.users:
            wrong = "nobody is a user: access_login and client_certificates are off"
            yield settled.problem("access_rule", wrong, part=f"[{number}].users")


ACCESS_CHECKS: Final[tuple[Callable[[Settled], Iterator[Problem]], ...]] = (
    _unused_users,
    _client_certificates,
    _unknown_users,
)
