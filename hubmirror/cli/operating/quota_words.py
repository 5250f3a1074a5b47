"""Numbers, times and names of the quota in a terminal, in the page's words.

Names may be a stranger's choice: nothing but visible ASCII comes out of here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from textwrap import wrap
from typing import Final

__all__ = ["amount", "bar", "fitted", "moment", "percent", "plain", "span", "table", "wrapped"]

_MORE: Final = ".."


def plain(text: object) -> str:
    r"""``text`` in visible ASCII; what is none of it is escaped, as ``\x1b`` or ``\u202e``."""
    return "".join(
        one if " " <= one <= "~" else one.encode("unicode_escape").decode() for one in str(text)
    )


def fitted(text: object, width: int) -> str:
    """``plain``, and cut where it is too long."""
    written = plain(text)
    return written if len(written) <= width else written[: width - len(_MORE)] + _MORE


def wrapped(text: object, width: int) -> list[str]:
    """``plain``, on as many lines as it takes."""
    return wrap(plain(text), width)


def amount(number: int) -> str:
    """``1,234``."""
    return f"{number:,}"


def percent(part: float) -> str:
    """``93 %``, rounded down: 100 % is all of it."""
    return f"{int(100 * part + 1e-9)} %"


def span(seconds: int) -> str:
    """``6 h``, or ``90 min``."""
    return f"{seconds // 3600} h" if seconds % 3600 == 0 else f"{round(seconds / 60)} min"


def moment(written: str, now: datetime) -> str:
    """``18:20 UTC`` of an RFC 3339 time; with its date unless it is today or within 24 hours."""
    at = datetime.strptime(written, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    is_near = at.date() == now.date() or timedelta(0) <= at - now <= timedelta(days=1)
    return f"{at:%H:%M} UTC" if is_near else f"{at:%Y-%m-%d %H:%M} UTC"


def bar(width: int, parts: Sequence[tuple[float, str]]) -> str:
    """A gauge: from its beginning to each share (0 to 1) its sign, the first ones on top."""
    cells = ["."] * width
    for share, sign in reversed(parts):
        filled = int(width * min(max(share, 0.0), 1.0))
        cells[:filled] = sign * filled
    return f"[{''.join(cells)}]"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Names at the left, and to the right as many numbers as ``columns``; nothing without rows."""
    if not rows:
        return []
    lines = [(title, *columns), *rows]
    width = 78 - 12 * len(columns)
    return [
        f"{fitted(name, width):<{width}}" + "".join(f"{fitted(one, 11):>12}" for one in numbers)
        for name, *numbers in lines
    ]
