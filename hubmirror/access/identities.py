"""Who asks: by a client certificate, by a token of this mirror's, by a user's password."""

from __future__ import annotations

from attrs import frozen
from zope.interface import Interface, implementer

from hubmirror.access.names import full_name
from hubmirror.access.patterns import Patterns
from hubmirror.errors import RegistryError
from hubmirror.naming import Repository
from hubmirror.question import Question

__all__ = ["NOBODY", "ByCertificate", "IIdentities", "Identity"]


@frozen
class Identity:
    """A user, or nobody who is known, and what narrows its rights.

    ``scopes`` are what its token lists, as ``registry/name``; without a token there are none.
    ``limits`` are what a robot may have, as patterns of that.
    """

    user: str | None = None
    scopes: frozenset[str] | None = None
    limits: Patterns | None = None

    @property
    def has_token(self) -> bool:
        """Whether it came by a token of this mirror's."""
        return self.scopes is not None

    def lists(self, repository: Repository) -> bool:
        """Whether its token lists ``repository``, if it has one."""
        return self.scopes is None or full_name(repository) in self.scopes

    def may_have(self, repository: Repository) -> bool:
        """Whether its limits hold ``repository``, if it has some."""
        return self.limits is None or self.limits.match(full_name(repository))


NOBODY = Identity()


class IIdentities(Interface):
    """Finds out who asks."""

    def known(question: Question) -> Identity | RegistryError | None:
        """Who it is, or why that can't be, where that is known at once; else None."""

    async def find(question: Question) -> Identity:
        """Who it is. Raises a ``RegistryError``."""


@implementer(IIdentities)
class ByCertificate:
    """Where nobody logs in here: what a client sends as its credential is for the upstream."""

    def known(self, question: Question) -> Identity:
        """See ``IIdentities``."""
        user = question.client.user
        return NOBODY if user is None else Identity(user)

    async def find(self, question: Question) -> Identity:
        """See ``IIdentities``."""
        return self.known(question)
