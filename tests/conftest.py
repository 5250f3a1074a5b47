"""What holds for every test: nothing logged as a failure, nothing left in the reactor."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from hypothesis import settings
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText, globalLogPublisher
from zope.interface import implementer

settings.register_profile("local", deadline=None)
# The same examples each time: half as many tell as much. `make fuzz` looks for others.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True, max_examples=50)
settings.load_profile("ci" if os.environ.get("CI") else "local")

#: How often the reactor turns, 5 ms apart, before what a test left in it counts as left.
_TURNS = 100


@implementer(ILogObserver)
class LoggedFailures:
    """The failures that were logged during a test; a test that expects one takes it out."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        """Keep ``event`` where it is a failure (``ILogObserver``)."""
        if event.get("log_failure") is not None or event.get("log_level") is LogLevel.critical:
            self.events.append(event)

    def take(self, *errors: type[BaseException]) -> list[LogEvent]:
        """Take out the logged failures of these types, all without any, and return them."""

        def wanted(event: LogEvent) -> bool:
            failure = event.get("log_failure")
            return not errors or (failure is not None and failure.check(*errors) is not None)

        taken = [event for event in self.events if wanted(event)]
        self.events = [event for event in self.events if not wanted(event)]
        return taken


@pytest.fixture(scope="session")
def reactor() -> Any:
    """The reactor that pytest-twisted runs: for tests that need sockets."""
    from twisted.internet import reactor  # noqa: TID251 - there is one, and it runs already

    return reactor


@pytest.fixture(autouse=True)
def logged_failures() -> Iterator[LoggedFailures]:
    """Fail the test for a failure that it logged and did not ``take``."""
    logged = LoggedFailures()
    globalLogPublisher.addObserver(logged)
    try:
        yield logged
        gc.collect(1)  # an unhandled Deferred speaks when it is collected
    finally:
        globalLogPublisher.removeObserver(logged)
    if logged.events:
        pytest.fail("\n".join(map(eventAsText, logged.events)), pytrace=False)


@pytest.fixture(autouse=True)
def clean_reactor(reactor: Any, logged_failures: LoggedFailures) -> Iterator[None]:
    """Fail the test for a delayed call, a socket or a port that it left in the reactor.

    What goes away within half a second of turns of the reactor was only settling.
    """
    before = _busy(reactor)
    yield
    for _ in range(_TURNS):
        if not _busy(reactor) - before:
            return
        pytest_twisted.blockon(_turn(reactor))
    left = "\n".join(sorted(map(str, _busy(reactor) - before)))
    pytest.fail(f"left in the reactor:\n{left}", pytrace=False)


def _busy(reactor: Any) -> set[object]:
    """What the reactor still has to do, its own waker and signal pipes aside."""
    selectables = {*reactor.getReaders(), *reactor.getWriters()} - set(reactor._internalReaders)
    return {*reactor.getDelayedCalls(), *selectables}


def _turn(reactor: Any) -> Deferred[None]:
    return deferLater(reactor, 0.005, lambda: None)
