"""What is wrong with a configuration, so that a person can mend all of it at once."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from hubmirror.errors import HubmirrorError

__all__ = ["ConfigError", "PartsInvalid", "Problem"]


@frozen
class Problem:
    """One thing that is wrong: the key, what is wrong with it, what is allowed, whence it came."""

    key: str
    wrong: str
    allowed: str = ""
    source: str = ""

    def __str__(self) -> str:
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        source = f" ({self.source})" if self.source else ""
        return f"{self.key}: {self.wrong}{allowed}{source}"

    def within(self, key: str, source: str) -> Problem:
        """The same, of a part of ``key``: ``[2].share`` within ``quota.reserve``."""
        return evolve(self, key=f"{key}{self.key}", source=source)


class PartsInvalid(ValueError):
    """What is wrong within a value that has parts.

    The ``key`` of each problem leads from the value to the part: ``[2].share``, ``.ci``. Items of
    a list are counted from 0.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{one.key} {one.wrong}".strip() for one in self.problems))


class ConfigError(HubmirrorError):
    """A configuration that is not in force; ``problems`` holds every reason, never a secret."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
