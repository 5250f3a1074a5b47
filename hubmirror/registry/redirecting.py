"""From plain HTTP to https, where the operator wants none of it to be served."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from hubmirror.registry.callers import Caller
from hubmirror.registry.forwarded import Network
from hubmirror.registry.message import Message
from hubmirror.registry.responses import COMMON_HEADERS, reason
from hubmirror.registry.well_known import CHALLENGE_PATH

__all__ = ["REDIRECT", "HttpsRedirect", "redirection"]

#: The method and the body stay what they are (RFC 9110, section 15.4.9).
REDIRECT: Final = 308
#: What load balancers ask for; they follow no redirect.
_EXEMPT: Final = (b"/healthz", b"/readyz")


@frozen
class HttpsRedirect:
    """To ``public_url`` where it is an https URL, else to ``port`` of the host that was asked."""

    port: int
    public_url: str | None = None

    def location(self, message: Message, caller: Caller, trusted: Sequence[Network]) -> str | None:
        """Where ``message`` should have been sent to; None where it is served as it is.

        Served is what came over TLS, or does so by a ``trusted`` proxy's word; what has no name
        for it, as this machine's own clients and proxies; and what https itself depends on.
        """
        path = message.target.partition(b"?")[0]
        if caller.is_secure or path in _EXEMPT or path.startswith(CHALLENGE_PATH):
            return None
        if _is_served(caller.peer, trusted):
            return None
        url = urlsplit(caller.client(message, trusted, None).public_url)
        if url.scheme == "https":
            return None
        return f"{self._origin(url.hostname or '')}{_path_of(message.target)}"

    def _origin(self, host: str) -> str:
        if self.public_url is not None and self.public_url.startswith("https:"):
            return self.public_url
        bracketed = f"[{host}]" if ":" in host else host
        return f"https://{bracketed}" if self.port == 443 else f"https://{bracketed}:{self.port}"


def redirection(location: str, *, is_last: bool) -> bytes:
    """The response that leads to ``location``, without a body."""
    fields = [*COMMON_HEADERS, ("Location", location), ("Content-Length", "0")]
    if is_last:
        fields.append(("Connection", "close"))
    lines = [f"HTTP/1.1 {REDIRECT} {reason(REDIRECT)}", *(f"{n}: {v}" for n, v in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _is_served(peer: str, trusted: Sequence[Network]) -> bool:
    """Whether ``peer`` is on this machine, and no proxy that speaks for others."""
    try:
        address = ip_address(peer)
    except ValueError:
        return True  # a socket's other end, without an address
    plain = getattr(address, "ipv4_mapped", None) or address
    return plain.is_loopback and not any(plain in network for network in trusted)


def _path_of(target: bytes) -> str:
    """A target's path and query; ``check_head`` leaves no other form but ``*``."""
    return target.decode("latin-1") if target.startswith(b"/") else "/"
