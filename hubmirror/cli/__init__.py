"""The ``hubmirror`` command. Each module here is a verb: ``summary``, ``main``, ``make_parser``.

``main`` takes the arguments after the verb and returns the exit status; ``make_parser`` tells of
them what shells and manual pages want to know.
"""

from __future__ import annotations

import os
import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module

__all__ = ["main"]

#: Exit status of a command line that can't be used.
BAD_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb that ``arguments`` (those of the process unless given) begin with.

    Returns the exit status: 1 where whoever reads its output has gone. Only the verb's own module
    is imported, to be quick to start.
    """
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        return 1
    return status


def _run(arguments: Sequence[str] | None) -> int:
    verb, *rest = (sys.argv[1:] if arguments is None else arguments) or ["help"]
    verbs = _verbs()
    if verb in verbs:
        status: int | None = import_module(f"{__name__}.{verb}").main(rest)
        return status or 0
    if verb in ("help", "--help", "-h"):
        print(_usage(verbs))
        return 0
    if verb == "--version":
        return _run(["serve", verb])
    print(f"hubmirror: {_unknown(verb, verbs)}", file=sys.stderr)
    return BAD_USAGE


def _verbs() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)


def _usage(verbs: Sequence[str]) -> str:
    width = max(map(len, verbs))
    lines = [f"  {verb:<{width}}  {import_module(f'{__name__}.{verb}').summary}" for verb in verbs]
    return "\n".join(
        [
            "Usage: hubmirror VERB [options]",
            "",
            "A self-hosted Docker Hub mirror.",
            "",
            *lines,
            "",
            "hubmirror VERB --help tells a verb's options.",
        ]
    )


def _unknown(verb: str, verbs: Sequence[str]) -> str:
    from hubmirror.config import nearest

    match = nearest(verb, verbs)
    meant = f"; did you mean {match}?" if match else f"; there are {', '.join(verbs)}"
    return f"there is no verb {verb!r}{meant}"
