"""``python -m hubmirror.demo`` as a process."""

from __future__ import annotations

import re
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest


def test_serves_until_it_is_told_to_stop() -> None:
    """It says where it listens, challenges there, and ends with 0 on SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hubmirror.demo"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        found = re.fullmatch(
            r"hub listening on (http://127\.0\.0\.1:\d+)\n", process.stdout.readline()
        )
        assert found is not None
        with pytest.raises(HTTPError, match="401") as caught:
            urlopen(f"{found[1]}/v2/", timeout=30)  # noqa: S310 - to loopback
        caught.value.close()
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
