"""Who has an account on the Hub, and who may pull what."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from attrs import field, frozen

__all__ = ["Accounts"]


@frozen
class Accounts:
    """The Hub's users and its private repositories.

    ``passwords`` are by user name; ``readers`` are the users that may pull a private
    repository, by its name. A repository that is not in ``readers`` is public.
    """

    passwords: Mapping[str, str] = field(factory=dict, repr=False)
    readers: Mapping[str, frozenset[str]] = field(factory=dict)

    def knows(self, user: str, password: str) -> bool:
        """Whether this is a user's right password."""
        right = self.passwords.get(user)
        return right is not None and hmac.compare_digest(right.encode(), password.encode())

    def may_pull(self, user: str | None, repository: str) -> bool:
        """Whether ``user`` (None: anybody) may pull the repository."""
        return repository not in self.readers or user in self.readers[repository]
