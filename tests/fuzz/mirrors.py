"""Mirrors in memory for targets, each replaced after some inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Generic, TypeVar

__all__ = ["Mirrors"]

#: How many inputs one mirror serves: what it remembers of them must not make it slow for ever.
LIFE: Final = 200

T = TypeVar("T")


class Mirrors(Generic[T]):
    """``make`` makes one of a kind in a folder of its own, which goes with it."""

    def __init__(self, make: Callable[[int, Path], T]) -> None:
        self._make = make
        self._made: dict[int, tuple[T, TemporaryDirectory[str]]] = {}
        self._served: dict[int, int] = {}

    def one(self, kind: int = 0) -> T:
        """The mirror of this kind that serves the next input."""
        served = self._served.get(kind, 0)
        if served % LIFE == 0:
            self._replace(kind)
        self._served[kind] = served + 1
        return self._made[kind][0]

    def _replace(self, kind: int) -> None:
        old = self._made.pop(kind, None)
        if old is not None:
            old[1].cleanup()
        folder = TemporaryDirectory(prefix="hubmirror-fuzz-", ignore_cleanup_errors=True)
        self._made[kind] = self._make(kind, Path(folder.name)), folder
