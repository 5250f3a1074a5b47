"""A client's files: where each is, and what is to be in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from attrs import frozen

from hubmirror.clients.address import MirrorAddress
from hubmirror.errors import HubmirrorError

__all__ = ["Client", "ClientFile", "Look", "SetupError", "fixed"]

#: The bytes of a file, None where there is none. Raises ``SetupError``.
Look = Callable[[PurePosixPath], bytes | None]


class SetupError(HubmirrorError):
    """A client can't be set up; the message says why, and nothing was changed."""


@frozen
class ClientFile:
    """One file. ``merge`` takes what stands there, None for nothing, and gives what should.

    It raises ``SetupError`` for what it can't add to without a loss. ``then`` is the command that
    makes the client read the file, None where nothing need be done. ``is_snippet``: a person may
    write it by hand, too.
    """

    path: PurePosixPath
    merge: Callable[[bytes | None], bytes]
    then: str | None = None
    is_snippet: bool = False


@frozen
class Client:
    """A program that pulls. ``key`` is its name as a word, ``name`` that for people.

    ``place`` is the file or the folder where its set-up belongs. ``files`` gives all that it
    needs for a mirror, in the order in which to write them, from a place and a look at what is
    there; ``notes`` is what to tell along with them.
    """

    key: str
    name: str
    place: PurePosixPath
    files: Callable[[MirrorAddress, PurePosixPath, Look], Iterable[ClientFile]]
    notes: Callable[[MirrorAddress], Iterable[str]] = lambda _: ()


def fixed(text: str | bytes) -> Callable[[bytes | None], bytes]:
    """A ``merge`` for a file that is ours alone."""
    wanted = text if isinstance(text, bytes) else text.encode()
    return lambda _: wanted
