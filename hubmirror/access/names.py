"""How clients write repositories in the scopes of tokens, and which ones these are."""

from __future__ import annotations

from attrs import frozen

from hubmirror.errors import NameInvalid
from hubmirror.naming import Repository, library_name
from hubmirror.question import Question

__all__ = ["Names", "full_name"]


@frozen
class Names:
    """``registry`` owns the names; with ``library_prefix`` one of a single component is one of

    Docker Hub's official images.
    """

    registry: str
    library_prefix: bool

    def repository(self, written: str) -> Repository | None:
        """The repository that a scope names; None where that is no name."""
        try:
            name = library_name(written) if self.library_prefix else written
            return Repository(self.registry, name)
        except NameInvalid:
            return None

    def written(self, repository: Repository) -> str:
        """The name by which a client asks for a token that opens ``repository``."""
        return repository.name

    def scope(self, question: Question) -> str | None:
        """The scope that a token for ``question`` has to list; None where it need list none."""
        repository: Repository | None = getattr(question.subject, "repository", None)
        return None if repository is None else f"repository:{self.written(repository)}:pull"


def full_name(repository: Repository) -> str:
    """``registry/name``, as rules have it."""
    return f"{repository.registry}/{repository.name}"
