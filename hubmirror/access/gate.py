"""Who may use this mirror, for what: decided here for every question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from zope.interface import Attribute, Interface, implementer

from hubmirror.access.identities import Identity, IIdentities
from hubmirror.access.names import Names, full_name
from hubmirror.access.refusals import blocked, denied, not_from_here, to_log_in, wrong_login
from hubmirror.access.rules import Login, Matter, Rulebook, Verdict, Visitor, holds
from hubmirror.errors import RegistryError
from hubmirror.naming import Repository, Tag
from hubmirror.question import (
    CatalogRequest,
    ManifestRequest,
    Ping,
    Preflight,
    Question,
    Refusal,
    TokenRequest,
)
from hubmirror.quota.rules import Network

__all__ = ["Access", "IAccess", "OpenAccess"]

_OPEN_SUBJECTS: Final = (Preflight, TokenRequest)


class IAccess(Interface):
    """The rule: what a question's sender may ask for here at all."""

    asks_for_logins: bool = Attribute("Whether clients log in here: no upstream's challenge does.")
    is_about_content: bool = Attribute("Whether ``review`` would ever say anything.")
    is_about_platforms: bool = Attribute("Whether it needs platforms for that.")

    def objection(question: Question) -> RegistryError | None:
        """Why ``question`` must not be, as far as that can be known at once.

        It costs the mirror next to nothing, so such a question spends nothing of the quota.
        """

    def user_of(question: Question) -> str | None:
        """Who asks, where that is known at once, and for sure."""

    async def decide(question: Question) -> None:
        """Raises what ``objection`` could not know yet: a ``RegistryError``."""

    def review(
        question: Question, media_type: str | None, platform: str | None
    ) -> RegistryError | None:
        """Why such a manifest must not go to who asks ``question``; None is what is not known."""


@implementer(IAccess)
class OpenAccess:
    """Everybody may everything: nothing is set."""

    asks_for_logins = False
    is_about_content = False
    is_about_platforms = False

    def objection(self, question: Question) -> None:
        """See ``IAccess``."""

    def user_of(self, question: Question) -> None:
        """See ``IAccess``."""

    async def decide(self, question: Question) -> None:
        """See ``IAccess``."""

    def review(self, question: Question, media_type: str | None, platform: str | None) -> None:
        """See ``IAccess``."""


@implementer(IAccess)
class Access:
    """In this order: the network, who it is, the rules, and what the token lists.

    The mirror's own questions, which have no address, are not asked about. ``deny`` counts
    before ``allow``, and an empty ``allow`` lets any network in. ``names`` are how clients write
    repositories.
    """

    def __init__(
        self,
        rules: Rulebook,
        identities: IIdentities,
        names: Names,
        login: Login = "off",
        allow: Sequence[Network] = (),
        deny: Sequence[Network] = (),
    ) -> None:
        self._rules = rules
        self._identities = identities
        self._names = names
        self._login = login
        self._allow = allow
        self._deny = deny
        self._is_networks_set = bool(allow or deny)
        self._last: tuple[Question | None, Identity | RegistryError | None] = (None, None)

    @property
    def asks_for_logins(self) -> bool:
        """See ``IAccess``."""
        return self._login != "off"

    @property
    def is_about_content(self) -> bool:
        """See ``IAccess``."""
        return self._rules.is_about_content

    @property
    def is_about_platforms(self) -> bool:
        """See ``IAccess``."""
        return self._rules.is_about_platforms

    def objection(self, question: Question) -> RegistryError | None:
        """See ``IAccess``."""
        address = question.client.address
        if not address:
            return None
        if self._is_networks_set and not self._serves(address):
            return not_from_here()
        if isinstance(question.subject, Preflight):
            return None
        identity = self._known(question)
        if isinstance(identity, RegistryError):
            return identity
        return None if identity is None else self._objection(question, identity)

    @property
    def is_login_required(self) -> bool:
        """Whether nobody may pull who is not known."""
        return self._login == "required"

    def may_open(self, address: str, identity: Identity, repository: Repository) -> bool:
        """Whether a pass for ``repository`` may be given: what it opens is decided each time."""
        matter = Matter(full_name(repository))
        verdict = self._rules.judge(Visitor(address, identity.user), matter)
        return verdict.action == "allow" and identity.may_have(repository)

    def user_of(self, question: Question) -> str | None:
        """See ``IAccess``."""
        if not question.client.address:
            return None
        identity = self._known(question)
        return identity.user if isinstance(identity, Identity) else None

    async def decide(self, question: Question) -> None:
        """See ``IAccess``."""
        if not question.client.address or isinstance(question.subject, _OPEN_SUBJECTS):
            return
        if not (question.credential or "").lower().startswith("basic"):
            return  # the objection knew it all
        refusal = self._objection(question, await self._identities.find(question))
        if refusal is not None:
            raise refusal

    def review(
        self, question: Question, media_type: str | None, platform: str | None
    ) -> RegistryError | None:
        """See ``IAccess``."""
        matter, identity = _matter(question), self._identities.known(question)
        if matter is None or not question.client.address:
            return None
        user = identity.user if isinstance(identity, Identity) else None
        matter = Matter(matter.repository, matter.tag, media_type, platform)
        verdict = self._rules.judge(Visitor(question.client.address, user), matter)
        return self._refusal(verdict, question, user)

    def _known(self, question: Question) -> Identity | RegistryError | None:
        """Who asks ``question``: found out once, for all that is asked about it in a row."""
        if self._last[0] is not question:
            self._last = (question, self._identities.known(question))
        return self._last[1]

    def _serves(self, address: str) -> bool:
        if holds(self._deny, address):
            return False
        return not self._allow or holds(self._allow, address)

    def _objection(self, question: Question, identity: Identity) -> RegistryError | None:
        if isinstance(question.subject, TokenRequest):
            return self._objection_to_token(question.subject, identity)
        if identity.user is None and self._must_log_in(question, identity):
            return to_log_in(self._names.scope(question))
        matter = _matter(question)
        if matter is None:
            return None
        verdict = self._rules.judge(Visitor(question.client.address, identity.user), matter)
        refusal = self._refusal(verdict, question, identity.user)
        if refusal is not None:
            return refusal
        repository = _repository(question)
        if repository is None:
            return None
        if not identity.may_have(repository):
            return denied()
        if not identity.lists(repository):
            return to_log_in(self._names.scope(question), error="insufficient_scope")
        return None

    def _objection_to_token(
        self, request: TokenRequest, identity: Identity
    ) -> RegistryError | None:
        """A form that shows no password is for the token server to judge."""
        if request.is_form or identity.user is not None or not self.is_login_required:
            return None
        return wrong_login(is_shown=False)

    def _must_log_in(self, question: Question, identity: Identity) -> bool:
        """Where it need not, ``/v2/`` still asks who has no token: docker logs in by that."""
        if self._login == "optional":
            return isinstance(question.subject, Ping) and not identity.has_token
        return self._login == "required"

    def _refusal(
        self, verdict: Verdict, question: Question, user: str | None
    ) -> RegistryError | None:
        if verdict.action == "allow":
            return None
        if verdict.action == "block":
            return blocked(verdict.message)
        if user is None and self._login != "off":
            return to_log_in(self._names.scope(question))
        return denied()


def _repository(question: Question) -> Repository | None:
    repository: Repository | None = getattr(question.subject, "repository", None)
    return repository


def _matter(question: Question) -> Matter | None:
    """What rules are asked about; None where that is nothing."""
    subject = question.subject
    if isinstance(subject, CatalogRequest):
        return Matter(None)
    if isinstance(subject, Refusal | Ping):
        return None
    repository = _repository(question)
    if repository is None:
        return None
    tag = None
    if isinstance(subject, ManifestRequest) and isinstance(subject.reference, Tag):
        tag = subject.reference.text
    return Matter(full_name(repository), tag)
