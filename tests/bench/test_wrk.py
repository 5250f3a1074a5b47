"""What wrk says."""

from __future__ import annotations

import pytest

from bench.wrk import Answers, parsed

SAID = """\
Running 2s test @ http://127.0.0.1:4443/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.17ms    5.42ms  36.48ms   80.73%
    Req/Sec   421.50    106.75   616.00     60.00%
  800 requests in 2.00s, 118.97KB read
{more}Requests/sec:    400.00
Transfer/sec:     58.77KB
"""


def test_good_answers_are_counted() -> None:
    """All of them, where there are no others."""
    assert parsed(SAID.format(more="")) == Answers(400.0, 0.0)


def test_errors_are_no_answers() -> None:
    """A peer that fails fast must not look fast."""
    said = SAID.format(more="  Non-2xx or 3xx responses: 200\n")
    assert parsed(said) == Answers(300.0, 0.25)


@pytest.mark.parametrize(
    "said",
    [
        "",
        SAID.format(more="  Socket errors: connect 0, read 15000, write 0, timeout 0\n"),
        SAID.format(more="  Non-2xx or 3xx responses: 800\n"),
        SAID.format(more="").replace("800", "0").replace("400", "0"),
    ],
)
def test_what_failed_is_never_a_rate(said: str) -> None:
    """Nor is nothing at all."""
    with pytest.raises(RuntimeError, match="wrk"):
        parsed(said)
