"""Each target for a moment; ``make fuzz`` gives them minutes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fuzz.engines import by_hypothesis
from tests.fuzz.target import TARGETS

#: What each may take of a processor, in seconds.
MOMENT = 0.5


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks(name: str, tmp_path: Path) -> None:
    """Its seeds, and a few hundred inputs near them, raise nothing."""
    assert by_hypothesis(name, MOMENT, tmp_path, time.process_time) > 0
