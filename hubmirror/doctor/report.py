"""Findings as text for a terminal, or as JSON, and as an exit status."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Final

from attrs import asdict

from hubmirror.doctor.findings import Finding, Severity, worst

__all__ = ["as_json", "as_text", "exit_status"]

_WIDTH: Final = 96
_STATUS: Final[Mapping[Severity, int]] = {Severity.OK: 0, Severity.WARN: 1, Severity.FAIL: 2}


def exit_status(findings: Sequence[Finding]) -> int:
    """0 where all is right, 1 with warnings, 2 with failures."""
    return _STATUS[worst(findings)]


def as_json(findings: Sequence[Finding]) -> str:
    """One object: the worst severity, and each finding."""
    told = [{**asdict(one), "severity": one.severity.value} for one in findings]
    return json.dumps({"severity": worst(findings).value, "findings": told}, ensure_ascii=False)


def as_text(findings: Sequence[Finding]) -> str:
    """A line or more for each, and a summary."""
    width = max((len(one.check) for one in findings), default=0)
    lines = [line for one in findings for line in _lines(one, width)]
    return "\n".join([*lines, "", _summary(findings)])


def _lines(finding: Finding, width: int) -> Iterator[str]:
    head = f"{finding.severity.value:<4}  {finding.check:<{width}}  "
    texts = [finding.what, *([f"→ {finding.do}"] if finding.do else [])]
    for text in texts:
        for line in wrap(text, max(_WIDTH - len(head), 40), break_on_hyphens=False):
            yield f"{head}{line}"
            head = " " * len(head)


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(one.severity for one in findings)
    words = {Severity.FAIL: "failure", Severity.WARN: "warning"}
    told = [
        f"{counts[one]} {word}{'' if counts[one] == 1 else 's'}"
        for one, word in words.items()
        if counts[one]
    ]
    return ", ".join(told) or "all right"
