"""wrk, which asks for one URL over and over."""

from __future__ import annotations

import re
import subprocess

from bench.content import MANIFEST_TYPE
from bench.processes import find_program

__all__ = ["CONNECTIONS", "manifests_a_second"]

CONNECTIONS = 8


def manifests_a_second(url: str, seconds: int) -> float:
    """How many answers a second it got; raises ``RuntimeError`` where some were errors."""
    options = ("-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"Accept: {MANIFEST_TYPE}", url)
    done = subprocess.run(
        (find_program("wrk"), *options), capture_output=True, text=True, check=True
    )
    found = re.search(r"^Requests/sec:\s+([\d.]+)$", done.stdout, re.MULTILINE)
    if found is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"{url}: {done.stdout}")
    return float(found[1])
