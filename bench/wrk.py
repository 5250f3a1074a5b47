"""wrk, which asks for one URL over and over."""

from __future__ import annotations

import re
import subprocess

from attrs import frozen

from bench.content import MANIFEST_TYPE
from bench.processes import find_program

__all__ = ["CONNECTIONS", "Answers", "ask_often", "manifests_a_second", "parsed"]

CONNECTIONS = 8


@frozen
class Answers:
    """How many good ones a second, and which share of all was none: 4xx and 5xx."""

    rate: float
    failed: float


def manifests_a_second(url: str, seconds: int) -> float:
    """How many answers a second it got; raises ``RuntimeError`` where some were errors."""
    answers = ask_often(url, seconds, CONNECTIONS)
    if answers.failed:
        raise RuntimeError(f"{url}: {answers.failed:.2%} were errors")
    return answers.rate


def ask_often(url: str, seconds: int, connections: int) -> Answers:
    """Ask for the manifest at ``url`` on so many connections at once.

    Raises ``RuntimeError`` where connections fail, or there is no good answer.
    """
    options = (
        *("-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"),
        *("-H", f"Accept: {MANIFEST_TYPE}", url),
    )
    done = subprocess.run(
        (find_program("wrk"), *options), capture_output=True, text=True, check=True
    )
    return parsed(done.stdout)


def parsed(said: str) -> Answers:
    """From what wrk has said. Raises ``RuntimeError`` as above."""
    rate = re.search(r"^Requests/sec:\s+([\d.]+)$", said, re.MULTILINE)
    requests = re.search(r"^\s+(\d+) requests in ", said, re.MULTILINE)
    errors = re.search(r"^\s+Non-2xx or 3xx responses: (\d+)$", said, re.MULTILINE)
    if rate is None or requests is None or "Socket errors" in said:
        raise RuntimeError(f"wrk: {said}")
    failed = int(errors[1]) / int(requests[1]) if errors else 0.0
    if failed == 1.0 or not int(requests[1]):
        raise RuntimeError(f"wrk: no good answer: {said}")
    return Answers(float(rate[1]) * (1 - failed), failed)
