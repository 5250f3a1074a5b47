"""The values of settings that are right, and how to speak of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from hubmirror.config.problems import Problem

__all__ = ["Settled"]


@frozen
class Settled:
    """The values of the settings that are right, by name; whence each came, and how the file

    spells its key. ``upstream_login`` is what ``HUBMIRROR_UPSTREAM_LOGIN`` holds.
    """

    values: Mapping[str, Any]
    sources: Mapping[str, str]
    keys: Mapping[str, str]
    upstream_login: tuple[str, str] | None = None

    def problem(self, name: str, wrong: str, allowed: str = "", *, part: str = "") -> Problem:
        """A problem of the setting ``name``, or of a part of it, such as ``[2].share``."""
        return Problem(f"{self.keys[name]}{part}", wrong, allowed, self.sources[name])
