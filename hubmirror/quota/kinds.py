"""What kind of request it is: the rows in which requests are counted, with their outcomes."""

from __future__ import annotations

from enum import IntEnum

from hubmirror.question import (
    BlobRequest,
    ManifestRequest,
    Ping,
    Question,
    TagsRequest,
    TokenRequest,
)

__all__ = ["Kind", "kind_of"]


class Kind(IntEnum):
    """In the order in which they are kept: a new one goes to the end."""

    TOKEN = 0
    PING = 1
    MANIFEST_GET = 2
    MANIFEST_HEAD = 3
    BLOB = 4
    TAGS = 5
    OTHER = 6

    @property
    def label(self) -> str:
        """As JSON, metrics and people have it."""
        return self.name.lower()


def kind_of(question: Question) -> Kind:
    """The kind of ``question``. All that no client asks for in a pull is ``OTHER``."""
    subject = question.subject
    if isinstance(subject, ManifestRequest):
        return Kind.MANIFEST_HEAD if question.method == "HEAD" else Kind.MANIFEST_GET
    return _KINDS.get(type(subject), Kind.OTHER)


_KINDS = {
    BlobRequest: Kind.BLOB,
    Ping: Kind.PING,
    TagsRequest: Kind.TAGS,
    TokenRequest: Kind.TOKEN,
}
