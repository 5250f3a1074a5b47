"""Answers from what is kept: their headers say how old it is, and where it came from.

Source: RFC 9111 for ``Age`` and ``Cache-Control``, RFC 9211 for ``Cache-Status``, OCI
distribution-spec 1.1 ("Warnings") for ``Warning``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from attrs import evolve, frozen

from hubmirror.naming import Digest
from hubmirror.question import Answer, Headers, Outcome
from hubmirror.upstream.client import Reply

__all__ = ["Freshness", "content_headers", "etag", "forwarded", "is_not_modified", "passed_on"]

#: How long a client may keep what is under its digest, in seconds: for ever, as HTTP has it.
FOREVER = 365 * 86400
#: How many lists of fields are remembered: answers from memory have the same for a second.
_REMEMBERED: Final = 1024


@frozen
class Freshness:
    """How old an answer is, how long it counts as fresh (both in seconds), and what is wrong.

    Other caches may keep it for one client alone: rights are checked here.

    ``warning`` is told to people: why the answer is older than it should be.
    """

    age: float
    lifetime: float
    warning: str | None = None

    @property
    def outcome(self) -> Outcome:
        """What an answer with these headers counts as."""
        return Outcome.HIT if self.warning is None else Outcome.STALE

    def headers(self) -> Headers:
        """``Age``, ``Cache-Control``, ``Cache-Status`` and ``Warning``."""
        age, lifetime = int(self.age), int(self.lifetime)
        return _freshness_headers(age, lifetime, int(self.lifetime - self.age), self.warning)


@lru_cache(_REMEMBERED)
def _freshness_headers(age: int, lifetime: int, left: int, warning: str | None) -> Headers:
    found = [
        ("Age", str(max(0, age))),
        ("Cache-Control", f"private, max-age={lifetime}"),
        ("Cache-Status", f"hubmirror; hit; ttl={left}"),
    ]
    if warning is not None:
        found.append(("Warning", f'299 - "{_quotable(warning)}"'))
    return tuple(found)


@lru_cache(_REMEMBERED)
def content_headers(digest: Digest, media_type: str) -> Headers:
    """What tells the content from other content."""
    return (
        ("Content-Type", media_type),
        ("Docker-Content-Digest", str(digest)),
        ("ETag", etag(digest)),
    )


def etag(digest: Digest) -> str:
    """The entity tag of content under its digest: strong, and the Hub's own form."""
    return f'"{digest}"'


def is_not_modified(if_none_match: str | None, digest: Digest) -> bool:
    """Whether a client has the content already (RFC 9110, section 13.1.2)."""
    if if_none_match is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag(digest) in tags or str(digest) in tags


def passed_on(reply: Reply, status: str = "fwd=miss") -> Answer:
    """The upstream's answer as it is, with what the cache did about it (RFC 9211)."""
    answer = Answer(reply.status, reply.headers, reply.body, upstream_seconds=reply.seconds)
    return forwarded(answer, status)


def forwarded(answer: Answer, status: str = "fwd=miss") -> Answer:
    """The same for an answer that has been made of the upstream's reply already."""
    told = ("Cache-Status", f"hubmirror; {status}; fwd-status={answer.status}")
    return evolve(answer, headers=(*answer.headers, told), outcome=Outcome.MISS)


def _quotable(text: str) -> str:
    return text.replace("\\", "").replace('"', "'")
