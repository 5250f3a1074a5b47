"""The names and addresses by which clients may know this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from hubmirror.certificates.files import CertificateError

__all__ = ["machine_names", "normal_names"]

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

#: Addresses kept for documentation (RFC 5737, RFC 3849): the way to them is the default route.
_ANYWHERE: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def machine_names(also: Iterable[str] = (), hosts: Path = Path("/etc/hosts")) -> frozenset[str]:
    """What clients may call this machine, and ``also`` (hosts of listeners, of a public URL).

    That is: the loopback's names, the host name, its other names in ``hosts`` (with its domain,
    as a rule), and the addresses by which it goes out. No name server is asked: one that hangs
    would hold up the start. Raises as ``normal_names``.
    """
    name = socket.gethostname()
    return normal_names((*LOOPBACK, name, *_aliases(name, hosts), *_routed_addresses(), *also))


def normal_names(names: Iterable[str]) -> frozenset[str]:
    """Names as a certificate has them: lower case, IDNA, no brackets, zones or final dots.

    Empty names and the wildcard addresses are left out. Raises ``CertificateError`` for what
    can't be a host name.
    """
    return frozenset(filter(None, map(_normal, names)))


def _normal(name: str) -> str:
    bare = name.strip("[]").rstrip(".")
    with suppress(ValueError):
        address = ip_address(bare.partition("%")[0])
        return "" if address.is_unspecified else str(address)
    try:
        return bare.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise CertificateError(f"{name!r} is not a host name") from error


def _aliases(name: str, hosts: Path) -> set[str]:
    """The names that share a line with ``name`` in a file as hosts(5) has it."""
    try:
        lines = hosts.read_text(errors="replace").splitlines()
    except OSError:
        return set()
    named = [line.partition("#")[0].split()[1:] for line in lines]
    return {alias for names in named if name in names for alias in names if alias.isascii()}


def _routed_addresses() -> list[str]:
    """The machine's own address towards elsewhere, by family. A UDP connect sends nothing."""
    found: list[str] = []
    for family, anywhere in _ANYWHERE:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((anywhere, 9))
            found.append(probe.getsockname()[0])
    return found
