"""Telling systemd how the mirror fares: ``Type=notify`` and ``WatchdogSec=``.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final

__all__ = ["Notifier"]

#: How long the word may take: systemd is on this machine and reads at once, or is in trouble.
_PATIENCE: Final = 1.0
_SOCKET, _PERIOD, _PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"


class Notifier:
    """Says it at ``address``, a socket of ``AF_UNIX``; with None, to nobody.

    ``period`` is how often, in seconds, a sign of life is due; None: never.
    """

    def __init__(self, address: str | None = None, period: float | None = None) -> None:
        self._address = address
        self.period = None if address is None else period

    @classmethod
    def told(cls, environ: MutableMapping[str, str], pid: int) -> Notifier:
        """As ``environ`` says for the process ``pid``, which is taken out there."""
        address, period, watched = (environ.pop(name, "") for name in (_SOCKET, _PERIOD, _PID))
        if not address.startswith(("/", "@")):
            return cls()
        is_watched = period.isdecimal() and watched in ("", str(pid))
        # Twice in the time after which it would be held for dead, as the manual has it.
        return cls(address, int(period) / 2_000_000 if is_watched else None)

    def ready(self, status: str) -> None:
        """It serves, or does so again, after a reload; ``status`` is for people, on one line."""
        self._say("READY=1", f"STATUS={status}")

    def reloading(self, now: float) -> None:
        """It reads its configuration anew; ``now`` is the time of the monotonic clock."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={int(now * 1_000_000)}")

    def stopping(self) -> None:
        """It ends."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """The sign of life."""
        self._say("WATCHDOG=1")

    def _say(self, *lines: str) -> None:
        if self._address is None:
            return
        # "@" stands for the zero byte of a name that is no file's.
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out, suppress(OSError):
            out.settimeout(_PATIENCE)
            out.sendto("\n".join(lines).encode(), address)
