"""What can go wrong in keeping content. None of it is a client's business: it gets its bytes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hubmirror.errors import HubmirrorError

__all__ = ["StoreFailed", "StoreFull", "store_errors"]

#: The errors that mean "no more can be kept", in an operator's words.
_FULL: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
}


class StoreFailed(HubmirrorError):
    """The disk did not do what it was told; the message is the reason."""


class StoreFull(StoreFailed):
    """The disk takes nothing more: it is full or read-only, or a quota is used up."""


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn an ``OSError`` from within into ``StoreFull`` or ``StoreFailed``."""
    try:
        yield
    except OSError as error:
        raise _translated(error) from error


def _translated(error: OSError) -> StoreFailed:
    code = error.errno or 0
    if code in _FULL:
        return StoreFull(_FULL[code])
    return StoreFailed(f"the disk failed: {os.strerror(code) if code else error}")
