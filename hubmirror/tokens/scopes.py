"""The scopes of a token request, as the upstream spells them."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from hubmirror.naming import Scope, library_name
from hubmirror.question import Headers

__all__ = ["of_registry", "with_library_prefix"]


def of_registry(parameters: Headers, registry: str) -> Headers:
    """``parameters`` with scopes for ``ghcr.io/owner/app`` as that registry has it: ``owner/app``.

    Clients that know the mirror as the registry of all such names ask for them so.
    """
    cut = f"{registry}/"

    def own(scope: Scope) -> Scope:
        return evolve(scope, name=scope.name.removeprefix(cut))

    return _with_scopes(parameters, own)


def with_library_prefix(parameters: Headers, library_prefix: bool) -> Headers:
    """``parameters`` with each ``scope`` mended, so that a token asked for ``busybox`` opens

    ``library/busybox``. A scope parameter may hold several scopes with spaces between them
    (Docker registry v2 token specification); what is no repository's scope stays as it is.
    """
    if not library_prefix:
        return parameters
    return _with_scopes(parameters, lambda scope: evolve(scope, name=library_name(scope.name)))


def _with_scopes(parameters: Headers, mend: Callable[[Scope], Scope]) -> Headers:
    def mended(text: str) -> str:
        scope = Scope.parse(text)
        is_repository = scope is not None and scope.type == "repository"
        return str(mend(scope)) if scope is not None and is_repository else text

    return tuple(
        (name, " ".join(map(mended, value.split(" "))) if name == "scope" else value)
        for name, value in parameters
    )
