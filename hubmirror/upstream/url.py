"""URLs as this mirror goes to them: absolute, http or https, and nothing odd in them.

Source: RFC 3986; the origin is that of RFC 9110, section 4.3.1. What an upstream points to (a
``Location``, a realm) is hostile until it went through here.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from attrs import frozen

__all__ = ["Origin", "checked_url", "origin_of", "resolved_url"]

_LEGAL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_AUTHORITY = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@frozen
class Origin:
    """Scheme, host and port: what credentials and pauses are bound to."""

    scheme: str
    host: str
    port: int


def checked_url(text: str) -> str:
    """``text`` as a URL to go to: without its fragment, its path at least ``/``.

    Raises ``ValueError`` with the reason, in words that hold nothing of the URL itself.
    """
    parts = _split(text)
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("it is not an absolute http or https URL")
    if "@" in parts.netloc:
        raise ValueError("it holds a user name or a password")
    authority = _AUTHORITY.fullmatch(parts.netloc)
    if authority is None or not 0 < int(authority["port"] or 1) < 1 << 16:
        raise ValueError("its host or port is malformed")
    return urlunsplit(parts._replace(path=parts.path or "/", fragment=""))


def resolved_url(base: str, reference: str) -> str:
    """Where ``reference`` leads to from ``base`` (RFC 3986, section 5), as ``checked_url``."""
    _split(reference)  # urljoin would drop some characters in silence
    return checked_url(urljoin(base, reference))


def origin_of(url: str) -> Origin:
    """The origin of ``url``, which ``checked_url`` has passed: the port is never left out."""
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return Origin(parts.scheme, parts.hostname or "", port)


def _split(text: str) -> SplitResult:
    if not _LEGAL.fullmatch(text):
        raise ValueError("it is empty or holds characters that no URL has")
    try:
        return urlsplit(text)
    except ValueError:  # whose words would quote the URL
        raise ValueError("its host or port is malformed") from None
