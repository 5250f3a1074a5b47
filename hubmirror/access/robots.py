"""Robots: names with tokens for programs, each for some repositories and for a time."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
import secrets
from collections.abc import Sequence
from typing import Any, Final

from attrs import evolve, field, frozen

from hubmirror.access.patterns import check_pattern

__all__ = [
    "PREFIX",
    "Robot",
    "Robots",
    "check_robot",
    "new_token",
    "parse_robots",
    "written_robots",
]

#: What the user of a robot begins with: no other user's can.
PREFIX: Final = "robot$"
#: By this, people and scanners see what it is.
TOKEN_PREFIX: Final = "hmr_"  # noqa: S105 - not a secret

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@frozen
class Robot:
    """``repositories`` are patterns of ``registry/name``; times are seconds since the epoch.

    Of its token only a hash is kept: the token has so much chance in it that this is enough.
    """

    name: str
    digest: str = field(repr=False)
    repositories: tuple[str, ...]
    created: float
    expires: float | None = None
    is_revoked: bool = False

    @property
    def user(self) -> str:
        """The user that it logs in as."""
        return PREFIX + self.name

    def is_alive(self, now: float) -> bool:
        """Whether its token opens anything at all."""
        return not self.is_revoked and (self.expires is None or now < self.expires)

    def has_token(self, token: bytes) -> bool:
        """Whether ``token`` is its."""
        return hmac.compare_digest(hashlib.sha256(token).hexdigest(), self.digest)


@frozen
class Robots:
    """All of them, the oldest first."""

    all: tuple[Robot, ...] = ()

    def find(self, user: str) -> Robot | None:
        """The robot that logs in as ``user``."""
        return next((robot for robot in self.all if robot.user == user), None)

    def with_robot(self, robot: Robot) -> Robots:
        """With this one, in the place of another of its name, revoked or over."""
        return Robots((*(one for one in self.all if one.name != robot.name), robot))

    def revoked(self, name: str) -> Robots:
        """With this one revoked."""
        return Robots(
            tuple(evolve(one, is_revoked=one.is_revoked or one.name == name) for one in self.all)
        )


def new_token() -> tuple[str, str]:
    """A token, and its digest."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    return token, hashlib.sha256(token.encode()).hexdigest()


def check_robot(name: str) -> str:
    """``name`` without ``robot$``, if a robot may have it; raises ``ValueError``."""
    bare = name.removeprefix(PREFIX)
    if not _NAME.fullmatch(bare):
        raise ValueError("a robot's name is lower-case letters, digits and . _ -, 63 at most")
    return bare


def parse_robots(data: bytes) -> Robots:
    """The robots that ``data`` holds, empty or JSON. Raises ``ValueError``."""
    if not data.strip():
        return Robots()
    try:
        rows: Sequence[dict[str, Any]] = json.loads(data)["robots"]
        return Robots(tuple(map(_robot, rows)))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise ValueError("it is not a file of robots as hubmirror token writes it") from None


def written_robots(robots: Robots) -> bytes:
    """As ``parse_robots`` reads them."""
    rows = [
        {
            "name": one.name,
            "digest": one.digest,
            "repositories": list(one.repositories),
            "created": one.created,
            "expires": one.expires,
            "revoked": one.is_revoked,
        }
        for one in robots.all
    ]
    return json.dumps({"robots": rows}, indent=1).encode() + b"\n"


def _robot(row: dict[str, Any]) -> Robot:
    name, digest, expires = row["name"], row["digest"], row["expires"]
    if not _NAME.fullmatch(name) or not _DIGEST.fullmatch(digest):
        raise ValueError
    return Robot(
        name,
        digest,
        tuple(map(check_pattern, row["repositories"])),
        _time(row["created"]),
        None if expires is None else _time(expires),
        row["revoked"] is not False,
    )


def _time(written: Any) -> float:
    seconds = float(written)
    if not math.isfinite(seconds):
        raise ValueError
    return seconds
