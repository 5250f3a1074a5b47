"""How many files and sockets this process may have open: getrlimit(2), ``RLIMIT_NOFILE``."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

__all__ = ["connections_within", "raise_limit"]

#: What is left for all but clients: upstream's connections, files that grow, the store's own.
RESERVED: Final = 256
#: A client's connection, and the file that is sent on it.
EACH: Final = 2
#: Where the system names no bound.
ENOUGH: Final = 1 << 20


def raise_limit() -> int:
    """Let this process have as many as it may let itself have; how many that is.

    The soft limit is small for programs that use ``select``, which none here does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):  # some systems name a bound that they don't mean
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if soft == resource.RLIM_INFINITY else soft


def connections_within(limit: int, wanted: int) -> int:
    """How many of the ``wanted`` connections fit into ``limit`` descriptors; one at least."""
    return max(1, min(wanted, (limit - RESERVED) // EACH))
