"""What ``-X importtime`` prints, added up."""

from __future__ import annotations

from bench.profiles import slowest_imports

OUTPUT = """\
import time: self [us] | cumulative | imported package
import time:      2000 |       2000 |     twisted.web.http
import time:      1000 |       3000 |   twisted.web
import time:      4000 |       7000 | treq
2026-01-01T00:00:00Z info a mirror of http://127.0.0.1:1
"""


def test_own_times_are_added_up_by_package() -> None:
    """What a module imports is not counted twice, and other output not at all."""
    lines = slowest_imports(OUTPUT).splitlines()
    assert lines[0] == "7 ms in 3 imports"
    assert [line.split() for line in lines[2:4]] == [
        ["4.0", "ms", "treq"],
        ["3.0", "ms", "twisted"],
    ]
