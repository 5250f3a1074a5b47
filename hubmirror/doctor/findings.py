"""What a check finds, and what a check is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from enum import Enum
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

__all__ = ["Check", "Finding", "Severity", "fail", "ok", "warn", "worst"]


class Severity(Enum):
    """How bad it is: nothing to do, something to look at, something that does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@frozen
class Finding:
    """``what`` a check has found, in a sentence, and what to ``do`` about it ("" for nothing).

    ``check`` is a word for what was looked at.
    """

    check: str
    severity: Severity
    what: str
    do: str = ""


@frozen
class Check:
    """``look`` gives all that is found; it has ``seconds`` for that. ``name`` is for people."""

    name: str
    look: Callable[[], Coroutine[Deferred[Any], Any, Sequence[Finding]]]
    seconds: float


def ok(check: str, what: str) -> Finding:
    """All right."""
    return Finding(check, Severity.OK, what)


def warn(check: str, what: str, do: str) -> Finding:
    """It works, and yet a person should know."""
    return Finding(check, Severity.WARN, what, do)


def fail(check: str, what: str, do: str) -> Finding:
    """It does not work."""
    return Finding(check, Severity.FAIL, what, do)


def worst(findings: Iterable[Finding]) -> Severity:
    """The worst of them, OK without any."""
    found = {finding.severity for finding in findings}
    return next((one for one in (Severity.FAIL, Severity.WARN) if one in found), Severity.OK)
