"""How clients write repositories in the scopes of tokens, and which ones these are."""

from __future__ import annotations

from attrs import frozen

from hubmirror.errors import RegistryError
from hubmirror.naming import Repository
from hubmirror.question import Question
from hubmirror.registries import Registries

__all__ = ["Names", "full_name"]


@frozen
class Names:
    """As the mirror's ``registries`` have them."""

    _registries: Registries

    def repository(self, written: str, registry: str = "") -> Repository | None:
        """The repository that a scope names; None where that is no name of one here.

        ``registry`` is the one that the token request is about, "" for the default one.
        """
        home = registry or self._registries.default
        if registry:
            written = written.removeprefix(f"{registry}/")
        try:
            chosen, components = self._registries.chosen(home, None, written.split("/"))
            return self._registries.repository(chosen, "/".join(components))
        except RegistryError:
            return None

    def scope(self, question: Question) -> str | None:
        """The scope that a token for ``question`` has to list; None where it need list none.

        It has the registry in front where the mirror's host does not tell which one is meant.
        """
        repository: Repository | None = getattr(question.subject, "repository", None)
        if repository is None:
            return None
        name = full_name(repository) if question.is_foreign else repository.name
        return f"repository:{name}:pull"


def full_name(repository: Repository) -> str:
    """``registry/name``, as rules and tokens have it."""
    return f"{repository.registry}/{repository.name}"
