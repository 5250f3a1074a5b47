"""Waiting for a condition, with a deadline: the one place in the tests that lets time pass."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["wait_until"]

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T],
    what: str,
    *,
    seconds: float = 20.0,
    context: Callable[[], str] = str,
) -> T:
    """The first true value of ``condition``, asked every 20 ms.

    Raises ``AssertionError``, which names ``what`` and ends in ``context()``, after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}\n{context()}")
        select.select([], [], [], 0.02)
