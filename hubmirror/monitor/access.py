"""Who may watch this mirror, and how much of it: decided here for every monitoring endpoint."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from attrs import field, frozen
from twisted.web.server import Request

from hubmirror.errors import Denied, RegistryError
from hubmirror.quota.rules import Network

__all__ = ["Access", "Unauthorized", "View", "Viewer"]

_CHALLENGE: Final = 'Bearer realm="hubmirror monitor"'
_SETTINGS: Final = (
    "who may watch this mirror is set by monitor_allow (networks), monitor_token (a bearer token)"
    " and monitor_public (the numbers, for all); this machine itself may"
)


class View(Enum):
    """How much one may see."""

    ALL = "all"
    NUMBERS = "numbers"  #: no client, user, repository, digest, URL or host


@frozen
class Viewer:
    """Who asks to watch: ``address`` is the client's, by a trusted proxy's word where there is one.

    ``hosts`` are the names, with or without a port, to which the request was sent: its own
    ``Host``, and what a trusted proxy tells. ``is_hidden`` is whether a proxy has passed it on and
    is not believed, or does not say for whom: ``address`` is that proxy's then.
    """

    address: str
    hosts: Sequence[str]
    is_hidden: bool


class Unauthorized(RegistryError):
    """A bearer token is missing or wrong (RFC 6750, section 3)."""

    status = 401
    code = "UNAUTHORIZED"
    default_message = "this needs the bearer token of monitor_token"


@frozen
class Access:
    """The rule. ``viewer`` tells who asks; ``allow`` may see all, as whoever sends ``token`` may

    and whoever is on this machine; the others see numbers, if it ``is_public``. ``host_names``,
    in lower case, without ports, are the names of this machine.

    Two things make a client on this machine out of somebody else. A proxy here that
    ``trusted_proxies`` does not name passes the whole world on: an address counts only where it
    is the client's own, which holds for ``allow``, too. A page in a browser here may bring its own
    name to mean this machine (DNS rebinding): loopback counts only under a name that is ours. Of
    ``allow`` the name is not asked: a mirror can't know all the names that a network has for it.
    """

    viewer: Callable[[Request], Viewer]
    allow: Sequence[Network] = ()
    token: str | None = field(default=None, repr=False)
    is_public: bool = False
    host_names: frozenset[str] = frozenset({"localhost"})

    def view(self, request: Request) -> View | None:
        """What whoever sends ``request`` may see; None is nothing."""
        try:
            return self.admit(request)
        except RegistryError:
            return None

    def admit(self, request: Request) -> View:
        """As ``view``. Raises ``Unauthorized`` or ``Denied`` with the reason where it is nothing.

        A wrong token is always refused: whoever sends one means to see what it opens.
        """
        if _is_of_another_site(request):
            raise Denied("a page of another site may not watch this mirror")
        if self._has_token(request):
            return View.ALL
        viewer = self.viewer(request)
        objection = self._objection(viewer)
        if objection is None:
            return View.ALL
        if self.is_public:
            return View.NUMBERS
        if self.token is not None:
            raise Unauthorized(f"{objection}; {_SETTINGS}", headers=_challenge())
        raise Denied(f"{objection}; {_SETTINGS}")

    def _has_token(self, request: Request) -> bool:
        sent = list(_bearer_tokens(request))
        if self.token is None or not sent:
            return False
        right = self.token.encode()
        if not all(hmac.compare_digest(one, right) for one in sent):
            wrong = _challenge(', error="invalid_token"')
            raise Unauthorized("this is not the token of monitor_token", headers=wrong)
        return True

    def _objection(self, viewer: Viewer) -> str | None:
        """Why the viewer's address opens nothing; None where it does."""
        address = _parse(viewer.address)
        if address is None:
            return "the client's address is not known"
        is_loopback = address.is_loopback
        is_allowed = any(address in network for network in self.allow)
        if not is_loopback and not is_allowed:
            return "this address may not watch the mirror"
        if viewer.is_hidden:
            return "a proxy passed this on that trusted_proxies does not name, or not for whom"
        if not is_allowed and not all(map(self._is_own, viewer.hosts)):
            return "this was not sent to localhost, this machine's name or that of public_url"
        return None

    def _is_own(self, authority: str) -> bool:
        host = _without_port(authority.lower()).removesuffix(".")
        address = _parse(host)
        return host in self.host_names if address is None else address.is_loopback


def _challenge(error: str = "") -> dict[str, str]:
    return {"WWW-Authenticate": _CHALLENGE + error}


def _bearer_tokens(request: Request) -> list[bytes]:
    values = request.requestHeaders.getRawHeaders(b"Authorization", [])
    pairs = (value.strip().partition(b" ") for value in values)
    return [token.strip() for scheme, _, token in pairs if scheme.lower() == b"bearer"]


def _is_of_another_site(request: Request) -> bool:
    """Whether a browser says that another site's page wants this (W3C Fetch Metadata).

    A link that a person follows is let be: the page that it stands on reads nothing.
    """
    fetch = {
        name: request.requestHeaders.getRawHeaders(f"Sec-Fetch-{name}", [""])[-1]
        for name in ("Site", "Mode", "Dest")
    }
    is_followed = fetch["Mode"] == "navigate" and fetch["Dest"] == "document"
    return fetch["Site"] == "cross-site" and not is_followed


def _without_port(authority: str) -> str:
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """The address that ``text`` spells; an IPv4 one as such, also within IPv6."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
