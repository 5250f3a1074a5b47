"""The users of this mirror, in a file as ``htpasswd -B`` writes it: bcrypt, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

import bcrypt
from attrs import field, frozen

__all__ = [
    "MAX_PASSWORD",
    "Users",
    "check_password",
    "check_user",
    "hashed",
    "is_right",
    "parse_users",
    "with_user",
    "without_user",
]

#: What bcrypt looks at of a password, in bytes; it takes no longer one.
MAX_PASSWORD: Final = 72
#: The cost of a new hash: some 200 ms.
COST: Final = 12
MAX_USER: Final = 64

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]*")
#: A cost of 15 takes seconds: more would be a way to keep the mirror busy.
_HASH = re.compile(rb"\$2[aby]\$(0[4-9]|1[0-5])\$[./A-Za-z0-9]{53}")
#: What an unknown user's password is compared with, so that it takes as long as a known one's.
_NO_HASH: Final = b"C6UzMDM.H6dfI/f/IKxGhuPXXzeeLxeGyXv5pB9bJxNFd1zgQm7sm"


@frozen
class Users:
    """The hashes of users' passwords; ``unusable`` are those whose hash is no bcrypt."""

    hashes: Mapping[str, bytes] = field(factory=dict, repr=False)
    unusable: tuple[str, ...] = ()

    def hash_of(self, user: str) -> bytes:
        """The hash of ``user``; of one who is not known one that no password has."""
        found = self.hashes.get(user)
        if found is not None:
            return found
        return b"$2b$%b$%b" % (self._cost_for(user), _NO_HASH)

    def _cost_for(self, user: str) -> bytes:
        """One of those that there are, for a name always the same: its time tells nobody's name."""
        costs = [hash_[4:6] for hash_ in self.hashes.values()] or [b"%d" % COST]
        secret = blake2b(b"".join(self.hashes.values())).digest()
        name = user.encode("utf-8", "surrogatepass")
        chosen = blake2b(name, key=secret, digest_size=8).digest()
        return costs[int.from_bytes(chosen, "big") % len(costs)]


def parse_users(data: bytes) -> Users:
    """The users in ``data``: a line each, ``user:hash``. Raises ``ValueError``."""
    hashes: dict[str, bytes] = {}
    unusable: list[str] = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        name, colon, rest = line.partition(b":")
        user = name.decode("utf-8", "replace").strip()
        if not colon or not user:
            raise ValueError(f"line {number} is not of the form user:hash")
        hash_ = rest.partition(b":")[0].strip()
        if _NAME.fullmatch(user) and _HASH.fullmatch(hash_):
            hashes[user] = hash_
        else:
            unusable.append(user if user.isprintable() else ascii(user))
    return Users(hashes, tuple(unusable))


def with_user(data: bytes, user: str, hash_: bytes) -> bytes:
    """``data`` with this hash for ``user``, in the place of another that it may have had."""
    lines = data.splitlines()
    new = b"%b:%b" % (user.encode(), hash_)
    places = [at for at, line in enumerate(lines) if _is_of(line, user)]
    if places:
        lines[places[0]] = new
        lines = [line for at, line in enumerate(lines) if at not in places[1:]]
    else:
        lines.append(new)
    return b"".join(line + b"\n" for line in lines)


def without_user(data: bytes, user: str) -> bytes:
    """``data`` without ``user``."""
    return b"".join(line + b"\n" for line in data.splitlines() if not _is_of(line, user))


def check_user(name: str) -> str:
    """``name``, if a new user may have it; raises ``ValueError``."""
    if len(name) > MAX_USER or not _NAME.fullmatch(name):
        raise ValueError(f"a user's name is letters, digits and _ . @ + -, {MAX_USER} at most")
    return name


def check_password(password: str) -> bytes:
    """``password`` in bytes, if a new one may be that; raises ``ValueError``, not quoting it."""
    encoded = password.encode("utf-8", "surrogateescape")
    if len(encoded) < 8 or len(encoded) > MAX_PASSWORD:
        raise ValueError(f"a password has 8 to {MAX_PASSWORD} bytes")
    if not password.isprintable():
        raise ValueError("a password has no control characters")
    return encoded


def hashed(password: bytes, cost: int = COST) -> bytes:
    """The hash of ``password``. Takes its time."""
    return bcrypt.hashpw(password, bcrypt.gensalt(cost))


def is_right(password: bytes, hash_: bytes) -> bool:
    """Whether ``hash_`` is that of ``password``. Takes its time, whatever they are."""
    is_short = len(password) <= MAX_PASSWORD
    try:
        return bcrypt.checkpw(password[:MAX_PASSWORD], hash_) and is_short
    except ValueError:
        return False


def _is_of(line: bytes, user: str) -> bool:
    return line.partition(b":")[0].strip() == user.encode()
