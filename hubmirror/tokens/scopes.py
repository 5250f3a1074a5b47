"""The scopes of a token request, as the upstream spells them."""

from __future__ import annotations

from attrs import evolve

from hubmirror.naming import Scope, library_name
from hubmirror.question import Headers

__all__ = ["with_library_prefix"]


def with_library_prefix(parameters: Headers, library_prefix: bool) -> Headers:
    """``parameters`` with each ``scope`` mended, so that a token asked for ``busybox`` opens

    ``library/busybox``. A scope parameter may hold several scopes with spaces between them
    (Docker registry v2 token specification); what is no repository's scope stays as it is.
    """
    if not library_prefix:
        return parameters
    return tuple(
        (name, " ".join(map(_mended, value.split(" "))) if name == "scope" else value)
        for name, value in parameters
    )


def _mended(text: str) -> str:
    scope = Scope.parse(text)
    if scope is None or scope.type != "repository":
        return text
    return str(evolve(scope, name=library_name(scope.name)))
