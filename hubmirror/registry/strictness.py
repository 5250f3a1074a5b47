"""What is a request by HTTP's grammar, and yet none that this server takes.

Source: RFC 9112, sections 3.2 (targets and Host) and 6 (bodies).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from hubmirror.errors import BadRequest, RegistryError
from hubmirror.registry.forwarded import parse_host
from hubmirror.registry.message import Message

__all__ = ["Misdirected", "check_head"]

#: How many values of Host are remembered: a mirror has few names.
_REMEMBERED: Final = 256


class Misdirected(RegistryError):
    """A target on another authority than ours (RFC 9110, section 15.5.20)."""

    status = 421
    code = "UNSUPPORTED"
    default_message = "this is a registry mirror, not an open proxy"


def check_head(message: Message, is_own: Callable[[str], bool]) -> None:
    """Raise a ``RegistryError`` for a head that is refused, its body unread.

    An absolute target on an authority that ``is_own`` becomes a path, and that authority the
    request's only Host; what is asked of the server as a whole (``*``) is asked of its root.
    """
    _check_host(message)
    _check_target(message, is_own)
    _check_body(message)


def _check_host(message: Message) -> None:
    hosts = message.fields.get(b"host", [])
    if len(hosts) > 1 or (not hosts and message.version == b"HTTP/1.1"):
        raise BadRequest("the request must have exactly one Host header")
    if hosts and not _is_host(hosts[0]):
        raise BadRequest("the Host header is malformed")


@lru_cache(_REMEMBERED)
def _is_host(host: bytes) -> bool:
    return parse_host(host.decode("latin-1")) is not None


def _check_target(message: Message, is_own: Callable[[str], bool]) -> None:
    if message.method == b"CONNECT":
        raise _no_tunnels()
    if message.target.startswith(b"/"):
        return
    if message.target == b"*" and message.method == b"OPTIONS":
        message.target = b"/"
        return
    scheme, separator, rest = message.target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        raise BadRequest("the request's target is malformed")
    authority = rest.partition(b"/")[0].partition(b"?")[0]
    if not is_own(authority.decode("latin-1")):
        raise Misdirected()
    path = rest[len(authority) :]
    message.target = path if path.startswith(b"/") else b"/" + path
    message.fields[b"host"] = [authority]


def _check_body(message: Message) -> None:
    codings = message.fields.get(b"transfer-encoding", [])
    is_known = not codings or [coding.lower() for coding in codings] == [b"chunked"]
    if not is_known or (codings and message.version == b"HTTP/1.0"):
        raise BadRequest("the request's transfer coding is not understood")
    if message.has_body and message.method in (b"GET", b"HEAD"):
        raise BadRequest("a GET or HEAD has no body here")


def _no_tunnels() -> RegistryError:
    error = BadRequest("this is a registry mirror, not a proxy: it opens no tunnels")
    error.status = 405
    error.headers["Allow"] = "GET, HEAD, POST, OPTIONS"
    return error
