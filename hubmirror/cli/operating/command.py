"""One operation from the command line: where the cache is, who does it, how it ends."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from hubmirror.cli.operating.failures import OperationFailed
from hubmirror.cli.operating.output import Output, make_output
from hubmirror.cli.operating.remote import ask_daemon
from hubmirror.config import Config
from hubmirror.control.socket import socket_path
from hubmirror.errors import HubmirrorError
from hubmirror.options import Options

__all__ = ["FAILED", "INTERRUPTED", "add_common_options", "config_of", "operate"]

FAILED = 1
INTERRUPTED = 130


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """``--config``, ``--data`` and ``--json``."""
    where = "as given to hubmirror serve; it tells which mirror's cache is meant"
    parser.add_argument("--config", metavar="FILE", help=f"the configuration file, {where}")
    parser.add_argument("--data", metavar="FOLDER", help=f"the data folder, {where}")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def operate(
    options: argparse.Namespace,
    name: str,
    values: Mapping[str, object],
    files: Sequence[int] = (),
    *,
    is_stdout_taken: bool = False,
) -> int:
    """Do it, by the daemon if one listens, else at rest; returns the exit status.

    ``is_stdout_taken``: standard output is for other bytes than reports. ``SystemExit(2)`` for
    a configuration that can't be used.
    """
    config = config_of(options)
    results = sys.stderr if is_stdout_taken else sys.stdout
    output = make_output(results, sys.stderr, is_json=options.json)
    try:
        _carry_out(config, name, values, files, output)
    except HubmirrorError as error:
        output.close()
        print(f"hubmirror: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        output.close()
        return INTERRUPTED
    output.close()
    return FAILED if output.has_failed else 0


def config_of(options: argparse.Namespace) -> Config:
    """The configuration of the mirror that is meant; ``SystemExit(2)`` where it can't be used."""
    flags = [("--config", options.config), ("--data", options.data)]
    loading = Options("hubmirror")
    loading.parseOptions([f"{flag}={value}" for flag, value in flags if value is not None])
    return loading.loaded.config


def _carry_out(
    config: Config,
    name: str,
    values: Mapping[str, object],
    files: Sequence[int],
    output: Output,
) -> None:
    if ask_daemon(socket_path(config.data), name, values, files, output.take):
        return
    if name in ("refresh", "pull"):
        raise OperationFailed(
            f"no daemon runs on {config.data}, and it takes one to ask the upstream: start it"
            " with hubmirror serve"
        )
    # Not before it is needed: it costs the time of importing all that a daemon is made of.
    from hubmirror.cli.operating.atrest import operate_at_rest

    operate_at_rest(config, name, values, files, output.take)
