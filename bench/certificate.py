"""A certificate of 127.0.0.1 that all peers show alike."""

from __future__ import annotations

import subprocess
from pathlib import Path

from attrs import frozen

from bench.processes import find_program

__all__ = ["Certificate"]

_COMMAND = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
    " -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
)


@frozen
class Certificate:
    """Files in PEM: the certificate (ECDSA on P-256, signed by itself) and its key."""

    chain: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> Certificate:
        """A new one in ``folder``."""
        made = cls(folder / "chain.pem", folder / "key.pem")
        files = ("-out", str(made.chain), "-keyout", str(made.key))
        command = (find_program("openssl"), *_COMMAND.split(), *files)
        subprocess.run(command, check=True, capture_output=True)
        return made
