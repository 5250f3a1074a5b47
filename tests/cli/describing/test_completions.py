"""What shells are told; ``tests/packaging`` has real ones complete by it."""

from __future__ import annotations

import pytest

from hubmirror.cli.describing.completions import SHELLS, completions


@pytest.mark.parametrize("shell", SHELLS)
def test_verbs_and_options_are_there(shell: str) -> None:
    """By the help of each verb, and not by all that describes it."""
    script = completions(shell)

    assert "public-url" in script
    assert "import" in script
    assert "All is verified while it is read" not in script
