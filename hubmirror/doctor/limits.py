"""How many files and sockets the mirror may have open."""

from __future__ import annotations

import resource

from hubmirror.doctor.findings import Finding, ok, warn
from hubmirror.doctor.processes import Processes
from hubmirror.transport.descriptors import connections_within

__all__ = ["descriptor_findings"]


def descriptor_findings(
    max_connections: int, daemon: int | None, processes: Processes
) -> list[Finding]:
    """Whether as many connections fit as are wanted.

    Of the running ``daemon`` its own limit counts, else what this process may have.
    """
    told = None if daemon is None else processes.open_files(daemon)
    whose = "the running mirror" if told else "a mirror started from here"
    most = max(told) if told else resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    fits = connections_within(most, max_connections) if most > 0 else max_connections
    if fits < max_connections:
        return [
            warn(
                "files",
                f"{whose} may have {most} files open: enough for {fits} connections of the"
                f" {max_connections} that max_connections has",
                f"set LimitNOFILE={2 * max_connections + 512} in its unit (ulimit -n elsewhere)",
            )
        ]
    return [ok("files", f"{whose} may have as many files open as it needs")]
