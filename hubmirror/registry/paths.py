"""The paths of the API, parsed from the right, and back from a subject to its path.

Source: OCI distribution-spec 1.1, "Endpoints". A name may itself hold ``manifests``, ``blobs``
or ``tags`` as a component, so only the last parts of a path tell what it asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen

from hubmirror.errors import NameInvalid, NotFound
from hubmirror.naming import Repository, parse_digest, parse_reference
from hubmirror.question import (
    BlobRequest,
    CatalogRequest,
    Headers,
    ManifestRequest,
    Ping,
    ReferrersRequest,
    Subject,
    TagsRequest,
)
from hubmirror.registries import Registries

__all__ = ["PathGrammar"]


@frozen
class PathGrammar:
    """How paths under ``/v2/`` are read: ``registries`` own the names."""

    registries: Registries

    def parse(self, segments: Sequence[str], query: Headers, home: str = "") -> Subject:
        """The subject that the path ``/v2/`` + ``segments`` asks for.

        ``segments`` are percent-decoded; ``home`` is the registry to which the mirror's host
        leads, "" for the default one. Raises ``NameInvalid``, ``NameUnknown``, ``DigestInvalid``,
        ``ManifestInvalid`` or ``NotFound``.
        """
        namespace = next((value for name, value in query if name == "ns"), None)
        home = home or self.registries.default
        if not any(segments):
            return Ping(self._of_no_name(home, namespace))
        if list(segments) == ["_catalog"]:
            return CatalogRequest(_only(query, "n", "last"), self._of_no_name(home, namespace))
        if len(segments) < 3:
            raise NotFound()
        *name, kind, last = segments
        parse = _KINDS.get(kind)
        if parse is None or (kind == "tags" and last != "list"):
            raise NotFound()
        return parse(self._repository(home, namespace, name), last, query)

    def _of_no_name(self, home: str, namespace: str | None) -> str:
        chosen, _ = self.registries.chosen(home, namespace, ())
        return "" if chosen == self.registries.default else chosen

    def _repository(
        self, home: str, namespace: str | None, components: Sequence[str]
    ) -> Repository:
        registry, components = self.registries.chosen(home, namespace, components)
        name = "/".join(components)
        if any("/" in component for component in components):
            raise NameInvalid(detail={"name": name[:255]})
        return self.registries.repository(registry, name)


def _manifest(repository: Repository, last: str, _query: Headers) -> Subject:
    return ManifestRequest(repository, parse_reference(last))


def _blob(repository: Repository, last: str, _query: Headers) -> Subject:
    return BlobRequest(repository, parse_digest(last))


def _tags(repository: Repository, _last: str, query: Headers) -> Subject:
    return TagsRequest(repository, _only(query, "n", "last"))


def _referrers(repository: Repository, last: str, query: Headers) -> Subject:
    return ReferrersRequest(repository, parse_digest(last), _only(query, "artifactType"))


_KINDS: dict[str, Callable[[Repository, str, Headers], Subject]] = {
    "manifests": _manifest,
    "blobs": _blob,
    "tags": _tags,
    "referrers": _referrers,
}


def _only(query: Headers, *names: str) -> Headers:
    return tuple(pair for pair in query if pair[0] in names)
