"""Where reports go."""

from __future__ import annotations

import io
import json

import pytest

from hubmirror.cache.reports import KeptImage, Problem, Progress, Pulled, Report, Rotten
from hubmirror.cli.operating.output import Bars, JsonLines, Output, PlainLines, make_output

PULLED = Pulled("a:1", "sha256:1", (), 1, 1)
IMAGE = KeptImage("docker.io/a", "1", "sha256:1", "t", 1, None, False, None)


class Terminal(io.StringIO):
    """Text that says it is on a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


def written(output: Output, *reports: Report) -> tuple[str, str]:
    """What went to the results and to the messages."""
    for report in reports:
        output.take(report.as_json())
    output.close()
    results, messages = output._results, output._messages
    assert isinstance(results, io.StringIO)
    assert isinstance(messages, io.StringIO)
    return results.getvalue(), messages.getvalue()


def test_json() -> None:
    """Each report is a line, progress too."""
    results, messages = written(
        make_output(io.StringIO(), io.StringIO(), is_json=True), Progress("a", 1, 2), PULLED
    )

    assert [json.loads(line)["event"] for line in results.splitlines()] == ["progress", "pulled"]
    assert messages == ""


def test_plain() -> None:
    """Results apart from messages; of progress every tenth; images as a table at the end."""
    progress = [Progress("a", done, 1000) for done in range(0, 1001, 50)]

    results, messages = written(
        PlainLines(io.StringIO(), io.StringIO()), *progress, IMAGE, PULLED, Problem("b", "no")
    )

    assert results.splitlines()[0].startswith("pulled a:1")
    assert results.splitlines()[1].startswith("IMAGE")
    assert len(results.splitlines()) == 3
    assert messages.splitlines()[0] == "a: 0% of 1000 B"
    assert messages.splitlines()[10:] == ["a: 100% of 1000 B", "b: no"]


def test_bars() -> None:
    """On a terminal a bar is drawn, and is gone before the result."""
    results, messages = written(
        Bars(io.StringIO(), Terminal()),
        Progress("a:1", 1 << 20, 4 << 20),
        Progress("a:1", 4 << 20, 4 << 20),
        PULLED,
    )

    assert "a:1:   0%" in messages
    assert messages.endswith("\r")
    assert results.startswith("pulled a:1")


@pytest.mark.parametrize(
    ("messages", "is_json", "kind"),
    [
        (io.StringIO(), False, PlainLines),
        (Terminal(), False, Bars),
        (Terminal(), True, JsonLines),
    ],
)
def test_choice(messages: io.StringIO, is_json: bool, kind: type[Output]) -> None:
    """By what it is written to."""
    assert type(make_output(io.StringIO(), messages, is_json=is_json)) is kind


@pytest.mark.parametrize(
    ("report", "has_failed"),
    [(PULLED, False), (Problem("a", "no"), True), (Rotten("sha256:1", 1, ()), True)],
)
def test_failure(report: Report, has_failed: bool) -> None:
    """What was wrong with one of several is remembered to the end."""
    output = PlainLines(io.StringIO(), io.StringIO())
    written(output, report, PULLED)

    assert output.has_failed is has_failed
