"""How a question goes to the origin server: under whose credential, and what that teaches."""

from __future__ import annotations

from attrs import evolve
from zope.interface import Interface, implementer

from hubmirror.errors import RegistryError
from hubmirror.naming import Repository
from hubmirror.question import Question
from hubmirror.tokens.grants import Grants
from hubmirror.tokens.issuer import Issuer
from hubmirror.tokens.own import OwnTokens
from hubmirror.upstream.client import Reply
from hubmirror.upstream.registry import RemoteRegistry

__all__ = ["IOrigin", "Origin", "SpentOrigin", "repository_of", "unconditional_head"]


class IOrigin(Interface):
    """The way upstream that one question has."""

    def admit() -> None:
        """Raises ``TooManyRequests`` where a limit of this mirror's leaves no way."""

    def spares_pulls() -> bool:
        """Whether what is kept should be given, though outdated, where that spares a pull."""

    async def ask(question: Question) -> Reply:
        """The upstream's answer. Raises ``UpstreamFailure``, or ``TooManyRequests`` of ours."""

    def as_mirror() -> IOrigin:
        """The way on which all goes under the mirror's own credential, whoever asks."""

    async def authorization(question: Question) -> str | None:
        """What ``ask`` would send as ``Authorization``."""

    def opened(question: Question) -> None:
        """What was asked for has come by that authorization: the right is learned."""


@implementer(IOrigin)
class Origin:
    """The upstream registry, seen from the policy.

    A client's credential goes upstream as it is, unless the mirror has an account of its own
    (``is_account``), or it is a token of this mirror's, which no other server knows, or a login
    that was shown for another registry.
    """

    def __init__(
        self,
        registry: RemoteRegistry,
        own: OwnTokens,
        issuer: Issuer,
        grants: Grants,
        *,
        is_account: bool,
    ) -> None:
        self._registry = registry
        self._as_mirror = _AsMirror(registry, own)
        self._issuer = issuer
        self._grants = grants
        self._is_account = is_account

    def admit(self) -> None:
        """See ``IOrigin``."""

    def spares_pulls(self) -> bool:
        """See ``IOrigin``."""
        return False

    async def ask(self, question: Question) -> Reply:
        """See ``IOrigin``. What the credential opened is learned."""
        if self._is_own(question):
            return await self._as_mirror.ask(question)
        reply = await self._registry.ask(question)
        repository = repository_of(question)
        if reply.status in (200, 206, 304):
            self.opened(question)
        elif reply.status in (401, 403) and repository is not None:
            self._grants.forget(question.credential, repository)
        return reply

    def opened(self, question: Question) -> None:
        """See ``IOrigin``."""
        repository = repository_of(question)
        if repository is not None and not self._is_own(question):
            self._grants.learn(question.credential, repository)

    def as_mirror(self) -> IOrigin:
        """See ``IOrigin``."""
        return self._as_mirror

    async def authorization(self, question: Question) -> str | None:
        """See ``IOrigin``."""
        if self._is_own(question):
            return await self._as_mirror.authorization(question)
        return question.credential

    def _is_own(self, question: Question) -> bool:
        credential = question.credential
        return (
            self._is_account
            or self._issuer.looks_ours(credential)
            or (question.is_foreign and credential is not None and not _is_token(credential))
        )


@implementer(IOrigin)
class _AsMirror:
    """The mirror's own way. A token of its own that is no more good is replaced, once."""

    def __init__(self, registry: RemoteRegistry, own: OwnTokens) -> None:
        self._registry = registry
        self._own = own

    def admit(self) -> None:
        """See ``IOrigin``."""

    def spares_pulls(self) -> bool:
        """See ``IOrigin``."""
        return False

    async def ask(self, question: Question) -> Reply:
        """See ``IOrigin``."""
        credential = await self.authorization(question)
        reply = await self._registry.ask(evolve(question, credential=credential))
        repository = repository_of(question)
        if reply.status != 401 or repository is None or credential is None:
            return reply
        self._own.forget(repository)
        renewed = await self.authorization(question)
        if renewed in (None, credential):
            return reply
        reply.body.discard()
        return await self._registry.ask(evolve(question, credential=renewed))

    def as_mirror(self) -> IOrigin:
        """It is that."""
        return self

    async def authorization(self, question: Question) -> str | None:
        """See ``IOrigin``; on ``/v2/`` itself the mirror shows nothing."""
        repository = repository_of(question)
        return None if repository is None else await self._own.authorization(repository)

    def opened(self, question: Question) -> None:
        """See ``IOrigin``. The mirror's own right is nobody else's."""


@implementer(IOrigin)
class SpentOrigin:
    """The way upstream of whom a limit of this mirror's leaves none."""

    def __init__(self, error: RegistryError) -> None:
        self._error = error

    def admit(self) -> None:
        """Raises ``TooManyRequests``."""
        raise self._error

    def spares_pulls(self) -> bool:
        """There are none."""
        return True

    async def ask(self, question: Question) -> Reply:  # noqa: ARG002
        """Raises ``TooManyRequests``."""
        raise self._error

    def as_mirror(self) -> IOrigin:
        """There is no other way, either."""
        return self

    async def authorization(self, question: Question) -> str | None:  # noqa: ARG002
        """Raises ``TooManyRequests``."""
        raise self._error

    def opened(self, question: Question) -> None:
        """Nothing is."""


def _is_token(credential: str) -> bool:
    return credential.partition(" ")[0].lower() == "bearer"


def unconditional_head(question: Question) -> Question:
    """Whether ``question``'s content is there at all, for who asks."""
    return evolve(question, method="HEAD", range=None, if_range=None, if_none_match=None)


def repository_of(question: Question) -> Repository | None:
    """The repository that a question is about, if it is about one."""
    repository: Repository | None = getattr(question.subject, "repository", None)
    return repository
