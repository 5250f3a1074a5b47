"""How a fetch ends is told in a sentence, and with the status that fits."""

from __future__ import annotations

import pytest

from hubmirror.errors import UpstreamFailure
from hubmirror.fetching.failures import NobodyMayAsk, Stopped, StoreLost, WrongDigest


@pytest.mark.parametrize(
    ("failure", "status"),
    [(WrongDigest, 502), (NobodyMayAsk, 502), (StoreLost, 503), (Stopped, 503)],
)
def test_readers_are_told(failure: type[UpstreamFailure], status: int) -> None:
    """Upstream's fault is 502, the mirror's own 503: ask again."""
    assert failure().status == status
    assert len(failure().message.split()) > 5
