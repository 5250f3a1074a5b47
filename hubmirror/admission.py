"""Who may use the mirror, from a configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from hubmirror.access.files import WatchedFile
from hubmirror.access.gate import Access, IAccess, OpenAccess
from hubmirror.access.identities import ByCertificate
from hubmirror.access.keyring import Keyring
from hubmirror.access.logins import Logins
from hubmirror.access.names import Names
from hubmirror.access.office import TokenOffice
from hubmirror.access.passes import LEEWAY, LIFE, Passes
from hubmirror.access.passwords import Passwords, Run
from hubmirror.access.robots import Robots, parse_robots
from hubmirror.access.rules import Rulebook, resolve
from hubmirror.access.throttle import Throttle
from hubmirror.access.users import Users, parse_users
from hubmirror.config import Config

__all__ = ["Admission", "PasswordThreads", "compose_admission", "compose_gate"]

#: How many passwords are looked at at a time: each takes a processor for some 0.2 s.
THREADS: Final = 2

_log = Logger()


@frozen
class Admission:
    """Who is let in, and, where clients log in here, who gives them their passes."""

    access: IAccess
    office: TokenOffice | None = None


class PasswordThreads:
    """Where passwords are looked at: threads that begin with the first one."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool: ThreadPool | None = None

    def run(
        self, work: Callable[[bytes, bytes], bool], password: bytes, hash_: bytes
    ) -> Deferred[bool]:
        """What ``work`` returns."""
        if self._pool is None:
            self._pool = ThreadPool(0, THREADS, "passwords")
            self._pool.start()
        return deferToThreadPool(self._reactor, self._pool, work, password, hash_)

    def close(self) -> None:
        """They end, with the looks that have begun."""
        if self._pool is not None:
            self._pool.stop()


def compose_admission(
    config: Config, names: Names, now: Callable[[], float], seconds: Callable[[], float], run: Run
) -> Admission:
    """The rules of ``config``; ``names`` are how its clients write repositories.

    ``now`` is in seconds since the epoch, ``seconds`` any clock that is not set back. Raises
    ``AccessFileError``.
    """
    if not _is_asked(config):
        return Admission(OpenAccess())
    if config.access_login == "off":
        return Admission(_gate(config, names, ByCertificate()))
    users = WatchedFile(config.users_file, parse_users, seconds)
    keyring = Keyring(config.data / "access" / "keys", now, accepted=LIFE + LEEWAY)
    keyring.current()  # other processes may look for it from now on
    passes = Passes(keyring)
    robots = WatchedFile(config.robots_file, parse_robots, seconds)
    _warn(users, robots)
    passwords = Passwords(users, Throttle(seconds), run, seconds)
    logins = Logins(users, robots, passes, names, now, passwords)
    access = _gate(config, names, logins)
    return Admission(access, TokenOffice(access, logins, passes, names, now))


def compose_gate(
    config: Config,
    names: Names,
    now: Callable[[], float],
    seconds: Callable[[], float],
    elsewhere: Callable[[], Exception],
) -> IAccess:
    """The same where passwords are looked at by another process, and passes are given.

    ``elsewhere`` is raised for what that one knows.
    """
    if not _is_asked(config):
        return OpenAccess()
    if config.access_login == "off":
        return _gate(config, names, ByCertificate())
    keyring = Keyring(config.data / "access" / "keys", now, accepted=LIFE + LEEWAY)
    logins = Logins(
        WatchedFile(config.users_file, parse_users, seconds),
        WatchedFile(config.robots_file, parse_robots, seconds),
        Passes(keyring),
        names,
        now,
        elsewhere=elsewhere,
    )
    return _gate(config, names, logins)


def _warn(users: WatchedFile[Users], robots: WatchedFile[Robots]) -> None:
    """Of those who can't log in."""
    if users.value.unusable:
        _log.warn(
            "{path}: these can't log in, as their hash is no bcrypt (htpasswd -B): {names}",
            path=users.path,
            names=", ".join(users.value.unusable[:10]),
        )
    if not users.value.hashes and not robots.value.all:
        _log.warn(
            "nobody can log in: there is no user in {path}, and no token; see hubmirror user",
            path=users.path,
        )


def _is_asked(config: Config) -> bool:
    networks = config.access_allow or config.access_deny
    is_known = config.access_login != "off" or config.client_certificates != "off"
    return bool(networks or config.access_rule or is_known)


def _gate(config: Config, names: Names, identities: ByCertificate | Logins) -> Access:
    return Access(
        Rulebook(config.access_rule, config.networks),
        identities,
        names,
        config.access_login,
        tuple(resolve(config.access_allow, config.networks)),
        tuple(resolve(config.access_deny, config.networks)),
    )
