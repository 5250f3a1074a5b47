"""The challenges of ``WWW-Authenticate``: parsed, written, and led to this mirror's own realm.

Source: RFC 9110, section 11.6.1; the Bearer scheme's parameters are those of the Docker registry
v2 token authentication specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from attrs import evolve, field, frozen

from hubmirror.fields import MAX_FIELD, FieldReader, is_quotable, is_token, quoted
from hubmirror.question import Headers

__all__ = ["Challenge", "parse_challenges", "rewrite_realm"]

_TOKEN68: Final = r"[A-Za-z0-9._~+/-]+=*"
_TOKEN68_ALONE = re.compile(rf"{_TOKEN68}(?=[ \t]*(?:,|\Z))")
_SPACES = re.compile(r" +")


@frozen
class Challenge:
    """One challenge: a scheme, and either a ``token68`` or parameters in their order.

    Schemes and names keep their spelling; ``is_scheme`` and ``parameter`` compare them in any
    case. Raises ``ValueError`` for what no field could spell. ``str()`` spells it, every value
    quoted, without spaces after the commas, as Docker Hub does.
    """

    scheme: str = field()
    token68: str | None = field(default=None)
    parameters: Headers = field(default=())

    @scheme.validator
    def _is_token(self, _attribute: object, value: str) -> None:
        if not is_token(value):
            raise ValueError("a scheme is a token")

    @token68.validator
    def _is_token68(self, _attribute: object, value: str | None) -> None:
        if value is not None and not re.fullmatch(_TOKEN68, value):
            raise ValueError("not a token68")

    @parameters.validator
    def _can_be_spelt(self, _attribute: object, value: Headers) -> None:
        if value and self.token68 is not None:
            raise ValueError("a challenge has a token68 or parameters, not both")
        if len({name.lower() for name, _ in value}) < len(value):
            raise ValueError("a parameter occurs once")
        if not all(is_token(name) and is_quotable(text) for name, text in value):
            raise ValueError("a parameter's name is a token, and its value has no controls")

    def is_scheme(self, scheme: str) -> bool:
        """Whether this is a challenge of ``scheme``."""
        return self.scheme.lower() == scheme.lower()

    def parameter(self, name: str) -> str | None:
        """The value of the parameter called ``name``."""
        wanted = name.lower()
        return next((text for key, text in self.parameters if key.lower() == wanted), None)

    def __str__(self) -> str:
        rest = self.token68 or ",".join(f"{name}={quoted(text)}" for name, text in self.parameters)
        return f"{self.scheme} {rest}" if rest else self.scheme


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of all ``values``, each one field's value, in their order.

    A field outside the grammar, or longer than 8 KiB, counts for nothing.
    """
    return tuple(challenge for value in values for challenge in _parse_field(value))


def rewrite_realm(values: Iterable[str], realm: str) -> tuple[str, ...]:
    """The same challenges, one a field, with ``realm`` as the realm of each Bearer one."""
    return tuple(str(_with_realm(challenge, realm)) for challenge in parse_challenges(values))


def _with_realm(challenge: Challenge, realm: str) -> Challenge:
    if not challenge.is_scheme("Bearer"):
        return challenge
    parameters = tuple(
        (name, realm if name.lower() == "realm" else text) for name, text in challenge.parameters
    )
    return evolve(challenge, parameters=parameters)


def _parse_field(value: str) -> list[Challenge]:
    if len(value) > MAX_FIELD:
        return []
    reader = FieldReader(value)
    reader.commas()
    challenges = []
    while not reader.is_done:
        challenge = _take_challenge(reader)
        if challenge is None:
            return []
        challenges.append(challenge)
    return challenges


def _take_challenge(reader: FieldReader) -> Challenge | None:
    """A challenge and the commas behind it, or None where the grammar is broken."""
    scheme = reader.token()
    if scheme is None:
        return None
    token68, is_delimited = None, False
    parameters: Headers = ()
    if reader.take(_SPACES):
        token68 = reader.take(_TOKEN68_ALONE)
        if token68 is None:
            parameters, is_delimited = _take_parameters(reader)
    if not (is_delimited or reader.commas() or reader.is_done):
        return None
    try:
        return Challenge(scheme, token68, parameters)
    except ValueError:
        return None


def _take_parameters(reader: FieldReader) -> tuple[Headers, bool]:
    """The parameters up to the next scheme, and whether a comma follows the last of them."""
    parameters = []
    is_delimited = reader.commas()
    while parameter := reader.parameter():
        parameters.append(parameter)
        is_delimited = reader.commas()
        if not is_delimited:
            break
    return tuple(parameters), is_delimited
