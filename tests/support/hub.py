"""The embedded Hub as a program of its own, before a real registry."""

from __future__ import annotations

import sys
from pathlib import Path

from attrs import frozen

from tests.support.certificates import Authority
from tests.support.programs import Program

__all__ = ["PASSWORD", "TAGS", "USER", "Content", "Hub", "start_hub"]

#: Who owns the private repository ``team/secret``.
USER = "alice"
PASSWORD = "wonderland"
#: The tags of ``library/busybox``, all of one image: enough for several pages.
TAGS = ("1.0", "1.1", "1.2", "1.3", "latest")


@frozen
class Content:
    """What the registry holds: two images, by names that skopeo reads, and the big one's layer."""

    hello: str
    big: str
    big_layer: str


@frozen
class Hub:
    """A running Hub; ``upstream`` are the options by which a mirror knows and trusts it."""

    program: Program
    url: str
    upstream: tuple[str | Path, ...]


def start_hub(
    folder: Path, authority: Authority, registry: str, *options: str, name: str = "127.0.0.1"
) -> Hub:
    """Start the Hub before ``registry``, as ``name`` in URLs; returns once it listens."""
    certificate = authority.issue("hub", (name, "localhost"))
    program = Program(
        [
            *(sys.executable, "-m", "hubmirror.demo"),
            *("--registry-backend", registry),
            *("--certificate", certificate, "--private-key", certificate.with_suffix(".key")),
            *("--user", f"{USER}:{PASSWORD}", "--private", f"team/secret:{USER}"),
            *("--name", name, *options),
        ],
        folder / "log",
        cwd=folder,
    )
    try:
        url = program.wait_for_line(r"hub listening on (https://\S+)")[1]
    except AssertionError:
        program.stop()
        raise
    trust = ("--upstream-ca", authority.certificate, "--library-prefix", "true")
    return Hub(program, url, ("--upstream", url, *trust))
