"""An ACME server, and who we are to it."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen

__all__ = ["AcmeServer"]


@frozen
class AcmeServer:
    """``directory`` is the URL of its directory (RFC 8555, section 7.1.1).

    ``ca`` is a file of CAs to trust for it beside the platform's, ``proxy`` the URL of a proxy,
    its credentials within. ``binding`` is a key's id and the key, base64url (section 7.3.4).
    """

    directory: str
    ca: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    email: str | None = None
    binding: tuple[str, str] | None = field(default=None, repr=False)
