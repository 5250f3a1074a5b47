"""What the benchmark runs on, for those who read its results."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

from bench.processes import find_program

__all__ = ["machine"]


def machine() -> dict[str, Any]:
    """System and versions, for a results file; ``load`` is the average of the last minute."""
    return {
        "measured": datetime.now(timezone.utc).date().isoformat(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "twisted": version("twisted"),
        "nginx": _version_of(("nginx", "-v")),
        "docker-registry": _version_of(("docker-registry", "--version")),
    }


def _version_of(command: Sequence[str]) -> str:
    program, *options = command
    done = subprocess.run(
        (find_program(program), *options), capture_output=True, text=True, check=True
    )
    found = re.search(r"\d+\.[\d.]+", done.stdout + done.stderr)
    return found[0] if found else "?"
