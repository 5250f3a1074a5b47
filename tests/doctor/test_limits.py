"""How many files may be open."""

from __future__ import annotations

from pathlib import Path

from hubmirror.doctor.findings import Severity
from hubmirror.doctor.limits import descriptor_findings
from hubmirror.doctor.processes import Processes


def limited(proc: Path, hard: int) -> Processes:
    """A machine where process 7 may let itself have ``hard``."""
    (proc / "7").mkdir()
    (proc / "7/limits").write_text(f"Max open files            1024   {hard}   files\n")
    return Processes(proc)


def test_the_running_mirror_has_too_few(tmp_path: Path) -> None:
    """How many connections fit, and what to set."""
    (found,) = descriptor_findings(4096, 7, limited(tmp_path, 2256))

    assert found.severity is Severity.WARN
    assert "enough for 1000 connections of the 4096" in found.what
    assert "LimitNOFILE=8704" in found.do


def test_there_are_enough(tmp_path: Path) -> None:
    """For the running mirror, or for one from here."""
    assert descriptor_findings(4096, 7, limited(tmp_path, 524288))[0].severity is Severity.OK
    assert descriptor_findings(1, None, Processes(tmp_path))[0].severity is Severity.OK
    assert descriptor_findings(10**9, None, Processes(tmp_path))[0].severity is Severity.WARN
