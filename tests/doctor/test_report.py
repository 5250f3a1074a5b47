"""Findings, told."""

from __future__ import annotations

import json

import pytest

from hubmirror.doctor.findings import Finding, fail, ok, warn, worst
from hubmirror.doctor.report import as_json, as_text, exit_status

OK, WARN, FAIL = ok("disk", "large"), warn("time", "off", "set it"), fail("port", "taken", "wait")


@pytest.mark.parametrize(
    ("findings", "status", "word", "summary"),
    [
        ([], 0, "ok", "all right"),
        ([OK], 0, "ok", "all right"),
        ([OK, WARN], 1, "warn", "1 warning"),
        ([FAIL, WARN, OK, FAIL], 2, "fail", "2 failures, 1 warning"),
    ],
)
def test_the_worst_counts(findings: list[Finding], status: int, word: str, summary: str) -> None:
    """In the exit status, in JSON, and in the last line."""
    assert exit_status(findings) == status
    assert worst(findings).value == word
    assert json.loads(as_json(findings))["severity"] == word
    assert as_text(findings).splitlines()[-1] == summary


def test_json_has_all_of_it() -> None:
    """Each finding by its four parts."""
    assert json.loads(as_json([WARN]))["findings"] == [
        {"check": "time", "severity": "warn", "what": "off", "do": "set it"}
    ]


def test_text_is_in_columns() -> None:
    """What to do stands below; a long sentence goes on there."""
    lines = as_text([WARN, ok("certificate", "good " * 30)]).splitlines()

    assert lines[:2] == ["warn  time         off", "                   → set it"]
    assert lines[2].startswith("ok    certificate  good good")
    assert lines[3].startswith("                   good")
    assert max(map(len, lines)) <= 100
