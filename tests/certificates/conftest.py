"""What several tests of TLS need."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_twisted

from tests.certificates.handshakes import Loopback


@pytest_twisted.async_yield_fixture
async def loopback(reactor: Any) -> AsyncIterator[Loopback]:
    """Echo servers under TLS; gone after the test."""
    started = Loopback(reactor)
    yield started
    await started.close()
