"""The two values between HTTP and policy: what a client asks, and what it gets.

``registry/`` parses a request into a ``Question`` and writes an ``Answer``; nothing between
them knows HTTP's bytes.
"""

from __future__ import annotations

import os
from enum import IntEnum

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import Attribute, Interface

from hubmirror.errors import RegistryError
from hubmirror.naming import Digest, Reference, Repository

__all__ = [
    "Answer",
    "BlobRequest",
    "Body",
    "CatalogRequest",
    "Client",
    "FileSlice",
    "GrowingSlice",
    "Headers",
    "IGrowingFile",
    "IStream",
    "ManifestRequest",
    "Outcome",
    "Ping",
    "Preflight",
    "Question",
    "ReferrersRequest",
    "Refusal",
    "SearchRequest",
    "Subject",
    "TagsRequest",
    "TokenRequest",
    "registry_of",
]

#: Header fields in their order, names as written in RFC 9110; a name may recur.
Headers = tuple[tuple[str, str], ...]


class IStream(Interface):
    """A body that is sent as it comes. It is sent once or discarded, never both."""

    length: int | None = Attribute("How many bytes will come, or None where nobody said.")

    def send_to(consumer: IConsumer) -> Deferred[None]:
        """Write the body to ``consumer``, a push producer registered on it meanwhile.

        The Deferred fires after the last byte; it fails with an ``UpstreamFailure`` when the
        source breaks off or stalls. Cancelling it ends the source at once.
        """

    def discard() -> None:
        """End the source at once: the body is not wanted."""


@frozen
class FileSlice:
    """Bytes of an open file: ``length`` of them from ``start`` on.

    ``fd`` belongs to the slice: whoever sends it or drops it closes it, once, by ``close``.
    """

    fd: int
    start: int
    length: int

    def narrowed(self, start: int, length: int) -> FileSlice:
        """A part of this slice, which takes over its ``fd``; ``start`` counts within it."""
        return FileSlice(self.fd, self.start + start, length)

    def close(self) -> None:
        """Give the file back."""
        os.close(self.fd)


class IGrowingFile(Interface):
    """A file that a fetch is still writing, as one reader sees it."""

    fd: int = Attribute("The file, for ``pread``; open until ``close``.")
    size: int = Attribute("How long the whole will be, in bytes.")

    def available(offset: int) -> int:
        """How many bytes from ``offset`` on may be read now.

        The last bytes of the whole are held back until its digest is known to be right.
        """

    def wait(offset: int) -> Deferred[None]:
        """Fires once ``available(offset)`` is more than zero; tells the fetch what is wanted.

        Fails with an ``UpstreamFailure`` when the bytes will never come, or the digest is wrong.
        """

    def close() -> None:
        """The reader is done, or gone."""


@frozen
class GrowingSlice:
    """``length`` bytes from ``start`` on of a file that is still being fetched."""

    source: IGrowingFile
    start: int
    length: int


@frozen
class Client:
    """Who asks: the address (a proxy's word only where the proxy is trusted), and the URL

    (scheme and authority, no path) by which the client knows this mirror. ``user`` is whose
    certificate it has shown, if any.
    """

    address: str
    public_url: str
    user_agent: str | None = None
    user: str | None = None


@frozen
class Ping:
    """``/v2/``: is this a registry, and what does it want to see?

    Here and below, ``registry`` is "" for the default one.
    """

    registry: str = ""


@frozen
class Preflight:
    """``OPTIONS`` on any path of the API."""


@frozen
class ManifestRequest:
    """``/v2/<name>/manifests/<reference>``."""

    repository: Repository
    reference: Reference


@frozen
class BlobRequest:
    """``/v2/<name>/blobs/<digest>``."""

    repository: Repository
    digest: Digest


@frozen
class TagsRequest:
    """``/v2/<name>/tags/list``; ``query`` holds the page (``n``, ``last``) as asked."""

    repository: Repository
    query: Headers = ()


@frozen
class ReferrersRequest:
    """``/v2/<name>/referrers/<digest>``; ``query`` holds ``artifactType`` as asked."""

    repository: Repository
    digest: Digest
    query: Headers = ()


@frozen
class CatalogRequest:
    """``/v2/_catalog``."""

    query: Headers = ()
    registry: str = ""


@frozen
class TokenRequest:
    """``/token``: a GET's query, or the form of a POST (OAuth2). May hold a password."""

    parameters: Headers = field(repr=False)
    is_form: bool = False
    registry: str = ""


@frozen
class SearchRequest:
    """``/v1/search``: up to ``count`` repositories that ``term`` finds."""

    term: str
    count: int


@frozen
class Refusal:
    """A request that the edge could not accept: it counts as the others do, then fails."""

    error: RegistryError


Subject = (
    Ping
    | Preflight
    | ManifestRequest
    | BlobRequest
    | TagsRequest
    | ReferrersRequest
    | CatalogRequest
    | TokenRequest
    | SearchRequest
    | Refusal
)


def registry_of(subject: Subject) -> str:
    """The registry that it is about, "" for the default one."""
    registry: str = getattr(getattr(subject, "repository", subject), "registry", "")
    return registry


@frozen
class Question:
    """One request to the API. ``credential`` is the ``Authorization`` value, as it came.

    With ``no_cache`` nothing counts as fresh: the upstream is asked first (RFC 9111, section
    5.2.1.4). Only the mirror itself asks so; what a client says of it is not heard. With
    ``is_foreign`` a login in it was shown for another registry than this is about, and must not
    go there.
    """

    method: str
    subject: Subject
    client: Client
    credential: str | None = field(default=None, repr=False)
    accept: tuple[str, ...] = ()
    range: str | None = None
    if_range: str | None = None
    if_none_match: str | None = None
    no_cache: bool = False
    is_foreign: bool = False


class Outcome(IntEnum):
    """How a question came out, in the order in which outcomes are kept.

    From what is kept; from the upstream; from what is kept though it may be outdated; refused
    by a limit; failed.
    """

    HIT = 0
    MISS = 1
    STALE = 2
    REFUSED = 3
    ERROR = 4

    @property
    def label(self) -> str:
        """As JSON, metrics and people have it."""
        return self.name.lower()


Body = bytes | FileSlice | GrowingSlice | IStream


@frozen
class Answer:
    """One response. ``headers`` are end-to-end ones; framing is ``registry/``'s.

    ``upstream_seconds`` is what the upstream took to its headers, for the access log. An answer
    is a hit unless whoever makes it says otherwise. ``realm_path`` is where the mirror gives
    tokens for what was asked.
    """

    status: int
    headers: Headers = ()
    body: Body = field(default=b"", repr=False)
    upstream_seconds: float | None = None
    outcome: Outcome = Outcome.HIT
    realm_path: str = "/token"

    def header(self, name: str) -> str | None:
        """The first field called ``name``, in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)
