"""Whether what one remembers is still so: a version for each key, seen by all who remember."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final
from zlib import crc32

from zope.interface import Interface, implementer

from hubmirror.coordination.board import STRIPES, Board

__all__ = ["BoardVersions", "IVersions", "Versions"]

#: Versions may pass each other's turns: a word's arithmetic.
_MASK: Final = (1 << 64) - 1


class IVersions(Interface):
    """Many keys may share a version: a change of one lets others look changed, too."""

    def place(key: Hashable) -> int:
        """Where the version of ``key`` stands, for ``at``."""

    def at(place: int) -> int:
        """The version there. What was read after one look is right while another tells the same."""

    def changed(key: Hashable) -> None:
        """``key`` is not what it was: told by who changes it, before anybody gets to know."""

    def all_changed() -> None:
        """Any key may be."""


class _Striped:
    def __init__(self, stripes: list[int] | memoryview, epoch: list[int] | memoryview) -> None:
        self._stripes = stripes
        self._epoch = epoch

    def place(self, key: Hashable) -> int:
        """See ``IVersions``. All processes of one program agree on it."""
        return crc32(repr(key).encode("utf-8", "surrogatepass")) % STRIPES

    def at(self, place: int) -> int:
        """See ``IVersions``: neither part goes back, so the sum stays if both do."""
        return self._stripes[place] + self._epoch[0]

    def changed(self, key: Hashable) -> None:
        """See ``IVersions``."""
        place = self.place(key)
        self._stripes[place] = self._stripes[place] + 1 & _MASK

    def all_changed(self) -> None:
        """See ``IVersions``."""
        self._epoch[0] = self._epoch[0] + 1 & _MASK


@implementer(IVersions)
class Versions(_Striped):
    """The form within one process."""

    def __init__(self) -> None:
        super().__init__([0] * STRIPES, [0])


@implementer(IVersions)
class BoardVersions(_Striped):
    """The form over the processes that share ``board``; one of them alone tells of changes."""

    def __init__(self, board: Board) -> None:
        super().__init__(board.stripes, board.epoch)
