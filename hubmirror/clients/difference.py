"""What a change does to a file, for a person to look at."""

from __future__ import annotations

import re
from difflib import unified_diff
from typing import Final

from hubmirror.clients.changes import Change

__all__ = ["difference"]

_NOWHERE: Final = "/dev/null"
#: What must not end in somebody's terminal log: passwords by their keys, and logins in URLs.
_SECRET: Final = re.compile(
    r"(?P<key>\b(?:password|auth|identity_?token|registry_?token|secret)\b[\"']?\s*[:=]\s*)\S.*"
    r"|(?P<scheme>://)[^/\s@\"']+@",
    re.IGNORECASE,
)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def difference(change: Change) -> str:
    """A unified diff, without passwords and control characters, empty where nothing changes."""
    before, after = _lines(change.before), _lines(change.after)
    old = _NOWHERE if change.before is None else str(change.path)
    new = _NOWHERE if change.after is None else str(change.path)
    return "".join(_ended(line) for line in unified_diff(before, after, old, new))


def _lines(content: bytes | None) -> list[str]:
    text = (content or b"").decode(errors="replace")
    return re.split(r"(?<=\n)(?!\Z)", text) if text else []


def _ended(line: str) -> str:
    shown = _CONTROLS.sub("�", _SECRET.sub(_hidden, line.removesuffix("\n")))
    return f"{shown}\n" if line.endswith("\n") else f"{shown}\n\\ No newline at end of file\n"


def _hidden(match: re.Match[str]) -> str:
    return f"{match['key'] or match['scheme']}…{'' if match['key'] else '@'}"
