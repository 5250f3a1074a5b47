"""Who thinks of inputs: Hypothesis, which also makes small what it has found, or Atheris.

Atheris looks which branches an input takes, and keeps those that take new ones. It is no
dependency: ``pip install atheris`` where there is one for the Python at hand.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.fuzz.inputs import inputs
from tests.fuzz.target import Target, find, within

__all__ = ["atheris_child", "by_atheris", "by_hypothesis"]

#: So many inputs between two looks at the clock.
ROUND: Final = 100
#: What Atheris gives an input to take, in seconds of any clock, and how much memory, in MiB.
_SLOWEST: Final = 25
_MOST_MEMORY: Final = 2048
_PHASES: Final = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)


def by_hypothesis(
    name: str, seconds: float, corpus: Path, clock: Callable[[], float] = time.monotonic
) -> int:
    """Feed the target ``name`` until ``seconds`` of ``clock`` are over; how many inputs it took.

    What has failed is kept in ``corpus``, and tried first the next time. Raises what the target
    raised, with a note that has the input.
    """
    target, end, count = find(name), clock() + seconds, 0
    for seed in target.seeds:
        _fed(target, seed)
        count += 1
    while clock() < end:
        count += _round(target, corpus / name)
    return count


def _round(target: Target, corpus: Path) -> int:
    count = 0

    @settings(
        database=DirectoryBasedExampleDatabase(corpus),
        max_examples=ROUND,
        deadline=None,
        phases=_PHASES,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(inputs(target))
    def fed(data: bytes) -> None:
        nonlocal count
        count += 1
        _fed(target, data)

    fed()
    return count


def _fed(target: Target, data: bytes) -> None:
    with within():
        target.run(data)


def by_atheris(name: str, seconds: float, corpus: Path) -> None:
    """The same by Atheris, in a process of its own; ``corpus`` keeps what goes new ways too.

    Raises ``CalledProcessError``: the input stands in a file there, and was told.
    """
    folder = corpus / name
    folder.mkdir(parents=True, exist_ok=True)
    target = find(name)
    for number, seed in enumerate(target.seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    words = folder.with_suffix(".dict")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words if word))
    command = [sys.executable, "-m", "tests.fuzz", "--child", name, str(folder)]
    flags = [
        f"-max_total_time={max(1, int(seconds))}",
        f"-timeout={_SLOWEST}",
        f"-rss_limit_mb={_MOST_MEMORY}",
        f"-artifact_prefix={corpus}/{name}-",
        f"-dict={words}",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    subprocess.run([*command, *flags], check=True, env={**os.environ, "PYTHONDEVMODE": ""})


def atheris_child(name: str, arguments: list[str]) -> None:
    """What that process does: it ends it."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["hubmirror"]):
        target = find(name)
    atheris.Setup([sys.argv[0], *arguments], target.run)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word[:64])
