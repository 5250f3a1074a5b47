"""What proves to an ACME server that a name is ours, while it looks (RFC 8555, section 8.3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Challenges"]


class Challenges:
    """The answers to HTTP-01 challenges under way, by token.

    A thread puts them there and others read: each operation is one of a dict's own.
    """

    def __init__(self) -> None:
        self._answers: dict[str, str] = {}

    @contextmanager
    def under_way(self, token: str, answer: str) -> Iterator[None]:
        """Give ``answer`` to who asks for ``token``, for as long as the context lasts."""
        self._answers[token] = answer
        try:
            yield
        finally:
            self._answers.pop(token, None)

    def answer(self, token: str) -> str | None:
        """The key authorization of ``token``; None where no such challenge is under way."""
        return self._answers.get(token)
