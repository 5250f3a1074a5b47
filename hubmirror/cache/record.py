"""What is written beside a partial blob: whose pieces they are, and which are there.

Two lines: a sha256 over the second, and JSON. A record that is torn, changed or foreign is not
a record: its pieces are fetched anew.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from attrs import frozen

from hubmirror.cache.pieces import Pieces
from hubmirror.errors import DigestInvalid
from hubmirror.naming import Digest, parse_digest

__all__ = ["PiecesRecord"]


@frozen
class PiecesRecord:
    """The pieces of one blob, as fetched from a host that gave it ``validator`` as its ETag."""

    digest: Digest
    size: int
    validator: str | None
    pieces: Pieces

    def to_bytes(self) -> bytes:
        """The file's content."""
        body = json.dumps(
            {
                "digest": str(self.digest),
                "size": self.size,
                "validator": self.validator,
                "pieces": self.pieces.serialise(),
            }
        ).encode("ascii")
        return b"%s\n%s\n" % (_checksum(body), body)

    @classmethod
    def parse(cls, data: bytes) -> PiecesRecord | None:
        """The inverse of ``to_bytes``; None for anything else."""
        checksum, _, rest = data.partition(b"\n")
        body = rest[:-1]
        if rest[-1:] != b"\n" or checksum != _checksum(body):
            return None
        try:
            return cls._from_json(json.loads(body))
        except (DigestInvalid, KeyError, TypeError, ValueError, RecursionError):
            return None

    @classmethod
    def _from_json(cls, value: Any) -> PiecesRecord | None:
        digest, size, text = value["digest"], value["size"], value["pieces"]
        validator = value["validator"]
        if type(size) is not int or not isinstance(text, str) or not isinstance(digest, str):
            return None
        if validator is not None and not isinstance(validator, str):
            return None
        return cls(parse_digest(digest), size, validator, Pieces.parse(size, text))


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode("ascii")
