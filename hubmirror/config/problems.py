"""What is wrong with a configuration, so that a person can mend all of it at once."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from hubmirror.errors import HubmirrorError

__all__ = ["ConfigError", "Problem"]


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


class ConfigError(HubmirrorError):
    """A configuration that is not in force; ``problems`` holds every reason, never a secret."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
