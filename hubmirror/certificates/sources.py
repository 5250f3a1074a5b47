"""Where a listener's certificate comes from, and how to see that it is time to read it again."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

from attrs import frozen
from zope.interface import Interface, implementer

from hubmirror.certificates.files import KeyPair, load_pair

__all__ = ["CertificateFiles", "ICertificateSource", "stamp_of"]


class ICertificateSource(Interface):
    """A certificate that may change while the daemon runs."""

    def load() -> KeyPair:
        """Read the pair now (a few small files). Raises ``CertificateError``."""

    def stamp() -> Hashable:
        """A value that differs from the one before once ``load`` is worth calling again.

        Cheap (a stat of each file), and never raises.
        """


@implementer(ICertificateSource)
@frozen
class CertificateFiles:
    """The two files that a configuration names."""

    certificate: Path
    private_key: Path

    def load(self) -> KeyPair:
        """As ``load_pair``."""
        return load_pair(self.certificate, self.private_key)

    def stamp(self) -> Hashable:
        """Which files these are, their sizes, and when they last changed."""
        return stamp_of(self.certificate), stamp_of(self.private_key)


def stamp_of(path: Path) -> Hashable:
    """What tells one state of a file from another; None where there is none to be seen.

    The inode sees a rename into place, ctime a chmod and a rewrite that keeps mtime.
    """
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
