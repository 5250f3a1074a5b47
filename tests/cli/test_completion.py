"""Tests of ``hubmirror completion``."""

from __future__ import annotations

import pytest

from hubmirror.cli.completion import main
from hubmirror.cli.describing.completions import SHELLS


@pytest.mark.parametrize("shell", SHELLS)
def test_it_prints_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each shell of which it speaks."""
    assert main([shell]) == 0
    assert "hubmirror" in capsys.readouterr().out


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that there are, are named."""
    with pytest.raises(SystemExit) as caught:
        main(["csh"])
    assert caught.value.code == 2
    assert "fish" in capsys.readouterr().err
