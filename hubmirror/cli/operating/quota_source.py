"""Where the state of the quota comes from: the running daemon, or else its files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from hubmirror.cli.operating.failures import OperationFailed
from hubmirror.cli.operating.remote import ask_daemon
from hubmirror.config import Config
from hubmirror.control.socket import socket_path

__all__ = ["QuotaSource"]


class QuotaSource:
    """Tells how the quota stands, as often as it is asked.

    At rest nothing changes, so the files are read once: whoever reads them holds the data folder
    meanwhile, and a daemon that starts in that moment could not. Once a daemon has answered they
    are left alone.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._had_daemon = False
        self._at_rest: Mapping[str, Any] | None = None

    def now(self) -> Mapping[str, Any]:
        """The object of ``GET /quota``; at rest without what only a daemon knows.

        Raises a ``HubmirrorError``.
        """
        told: list[Mapping[str, Any]] = []
        if ask_daemon(socket_path(self._config.data), "quota", {}, [], told.append):
            self._had_daemon = True
            quota: Mapping[str, Any] = told[0]["quota"]
            return quota
        if self._had_daemon:
            raise OperationFailed(f"the daemon on {self._config.data} does not answer any more")
        if self._at_rest is None:
            # Not before it is needed: it costs the time of importing what a daemon is made of.
            from hubmirror.cli.operating.quota_atrest import quota_at_rest

            self._at_rest = quota_at_rest(self._config, time.time)
        return self._at_rest
