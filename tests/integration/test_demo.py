"""``hubmirror demo`` shows a pull through the mirror, step by step."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.support.mirror import COMMANDS, Mirror
from tests.support.programs import Program, run

pytestmark = pytest.mark.integration

DEMO = (COMMANDS["serve"][0], "demo")

#: What begins the lines that it prints.
STEPS = ["challenge", "realm", "token", "index", "manifest", "redirect", "layer", "digest", "quota"]


def test_once() -> None:
    """Each step has its line, and with ``--once`` the demo ends by itself, with 0."""
    printed = run(*DEMO, "--once")

    begun = [step for step in STEPS if re.search(rf"^{step}", printed, re.MULTILINE)]
    assert begun == STEPS, printed


def test_leaves_the_mirror_running(tmp_path: Path) -> None:
    """Without ``--once`` the mirror goes on, says how to try it, and ends on SIGTERM."""
    program = Program(DEMO, tmp_path / "log")
    try:
        url = program.wait_for_line(r"^mirror +(http://[^\s,]+)")[1]
        program.wait_for_line("docker run")

        assert Mirror(program, url).ask("/quota").status == 200

        program.signal(signal.SIGTERM)
        assert program.wait() == 0
    finally:
        program.stop()
