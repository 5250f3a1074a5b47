"""What a target is: a function of bytes, and what is near to bytes that it takes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Final

from attrs import frozen
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText, globalLogPublisher
from zope.interface import implementer

__all__ = ["TARGETS", "Target", "failures_told", "find", "within"]

#: The names of all targets: each is a module of its own.
TARGETS: Final = tuple(
    sorted(
        path.stem
        for path in (Path(__file__).parent / "targets").glob("*.py")
        if path.stem != "__init__"
    )
)
#: What one input may take of a processor, in seconds: none needs a hundredth of it.
LONGEST: Final = 5.0


@frozen
class Target:
    """``run`` raises for an input that shows a defect, and for nothing else.

    ``seeds`` are inputs that go far, ``words`` what stands in them.
    """

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()


class TooSlow(Exception):
    """An input kept the processor busy for too long."""


def find(name: str) -> Target:
    """The target called ``name``."""
    target = import_module(f"tests.fuzz.targets.{name}").TARGET
    if not isinstance(target, Target):
        raise TypeError(f"{name} has no target")
    return target


@contextmanager
def within(seconds: float = LONGEST) -> Iterator[None]:
    """Raises ``TooSlow`` in what takes more of the processor: in the main thread alone."""

    def ended(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGVTALRM, ended)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def failures_told() -> Iterator[None]:
    """Raises ``AssertionError`` where a failure was logged meanwhile: it has a traceback."""
    told = _Failures()
    globalLogPublisher.addObserver(told)
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(told)
    assert not told.texts, "\n".join(told.texts)


@implementer(ILogObserver)
class _Failures:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_failure") is not None or event.get("log_level") is LogLevel.critical:
            self.texts.append(eventAsText(event))
