"""How the quota stands in a data folder that no daemon holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, Final

from hubmirror.cli.operating.atrest import held
from hubmirror.cli.operating.failures import OperationFailed
from hubmirror.config import Config
from hubmirror.monitor.report import Reporter
from hubmirror.quota.files import QuotaFiles

__all__ = ["quota_at_rest"]

#: What only a running mirror knows: how fast it goes, and what it hears and fetches.
_UNKNOWN: Final = frozenset({"minute", "forecast", "hub", "upstream", "fetches", "login"})


def quota_at_rest(config: Config, now: Callable[[], float]) -> Mapping[str, Any]:
    """The object of ``GET /quota``, less what can't be known.

    ``now`` is in seconds since the epoch. Holds the folder meanwhile. Raises ``OperationFailed``.
    """
    with held(config.data):
        try:
            with closing(QuotaFiles.open(config.data)) as files:
                told = _reporter(config, files, now).now(names=True)
        except OSError as error:
            raise OperationFailed(
                f"the quota's files in {config.data} can't be used: {error.strerror or error}"
            ) from error
    return {key: value for key, value in told.items() if key not in _UNKNOWN}


def _reporter(config: Config, files: QuotaFiles, now: Callable[[], float]) -> Reporter:
    return Reporter(
        files.quota(config.rules, now),
        config.upstream,
        outages=lambda: (),
        fetches=lambda: (),
        repositories=lambda _digest: (),
        login=None,
        clock=now,
        began=now(),
    )
