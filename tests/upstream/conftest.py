"""What several tests of the upstream's network need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import ensureDeferred

from tests.support.certificates import Authority
from tests.upstream.servers import Loopback


@pytest.fixture
def loopback(reactor: Any) -> Iterator[Loopback]:
    """Servers on loopback and agents, closed at the end."""
    opened = Loopback(reactor)
    yield opened
    pytest_twisted.blockon(ensureDeferred(opened.close()))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA of the test's own."""
    return Authority(tmp_path)
