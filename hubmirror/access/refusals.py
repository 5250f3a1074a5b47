"""How this mirror tells a client that it may not, or has to say who it is.

Source: RFC 6750, section 3, for the errors of bearer tokens; the Docker registry v2 token
authentication specification for the challenge.
"""

from __future__ import annotations

from typing import Final

from hubmirror.errors import Denied, RegistryError, TooManyRequests, Unavailable

__all__ = [
    "SERVICE",
    "Unauthorized",
    "blocked",
    "busy",
    "denied",
    "not_from_here",
    "slow_down",
    "to_log_in",
    "wrong_login",
]

#: The service that the mirror's own challenges name.
SERVICE: Final = "hubmirror"


class Unauthorized(RegistryError):
    """Who asks has to say who it is; the challenge is in the headers."""

    status = 401
    code = "UNAUTHORIZED"
    default_message = "authentication required"


def to_log_in(scope: str | None = None, *, error: str | None = None) -> Unauthorized:
    """The challenge of ``/v2/`` and what is below it.

    ``scope`` is what a token has to list; ``error`` what is wrong with the one that was shown.
    The edge puts its own realm in.
    """
    parameters = [("realm", "/token"), ("service", SERVICE)]
    parameters += [("scope", scope)] if scope else []
    parameters += [("error", error)] if error else []
    challenge = ",".join(f'{name}="{value}"' for name, value in parameters)
    return Unauthorized(headers={"WWW-Authenticate": f"Bearer {challenge}"})


def wrong_login(*, is_shown: bool) -> Unauthorized:
    """A user's password is wrong, or none ``is_shown`` where it takes one."""
    message = (
        "incorrect username or password" if is_shown else "this mirror wants to know who pulls"
    )
    return Unauthorized(message, headers={"WWW-Authenticate": f'Basic realm="{SERVICE}"'})


def not_from_here() -> Denied:
    """The network that a client is in may not use this mirror."""
    return Denied("this mirror does not serve your network")


def denied() -> Denied:
    """A rule lets others, but not this client; it is not told more than of what is not there."""
    return Denied()


def blocked(message: str) -> Denied:
    """A rule keeps this from everybody it names, and says so."""
    return Denied(message or "this mirror blocks this by a rule of its operator")


def slow_down(seconds: int) -> TooManyRequests:
    """Too many logins have failed from an address."""
    return TooManyRequests(
        f"too many failed logins: try again in {seconds} s",
        headers={"Retry-After": str(seconds)},
    )


def busy() -> Unavailable:
    """More logins than can be looked at."""
    return Unavailable("too many logins at once", headers={"Retry-After": "1"})
