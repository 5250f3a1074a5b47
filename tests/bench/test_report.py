"""The document that shows the results."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.__main__ import DOCUMENT, RESULTS, ROWS
from bench.chart import chart
from bench.report import BEGIN, END, filled, kept_rows, write_report
from bench.results import Aim, Row, Series, write

MACHINE = {"processors": 2, "python": "3.11.7"}
ROW = Row(
    "rest",
    [Series("RSS", "hubmirror", "MiB", (61.0, 62.0), aim=Aim(80))],
    ["something was skipped"],
    MACHINE,
)


def test_results_stand_between_the_marks_and_nothing_else_changes() -> None:
    """Also where older results stood there; what ran where is told below."""
    document = filled(f"# Speed\n{BEGIN}\nold\n{END}\nmore\n", [ROW])
    assert document.startswith(f"# Speed\n{BEGIN}\n")
    assert document.endswith(f"\n{END}\nmore\n")
    assert "old" not in document
    assert "| `rest` | RSS | 61.5 MiB |" in document
    assert "- 2 processors, Python 3.11.7; 2 rounds: `rest`." in document
    assert "- `rest`: something was skipped." in document
    assert filled(document, [ROW]) == document


@pytest.mark.parametrize("document", ["", BEGIN, END, f"{END} {BEGIN}"])
def test_a_document_without_marks_is_an_error(document: str) -> None:
    """Nothing of it is guessed at."""
    with pytest.raises(ValueError, match="no place for results"):
        filled(document, [ROW])


def test_it_is_written_from_the_files(tmp_path: Path) -> None:
    """Of those rows that were measured, in the order asked for; a picture lies beside it."""
    write(ROW, tmp_path / "results", MACHINE)
    document = tmp_path / "performance.md"
    document.write_text(f"{BEGIN}{END}")
    write_report(tmp_path / "results", ("cold", "rest"), document)
    assert "`rest`" in document.read_text()
    assert document.with_suffix(".svg").read_text().startswith("<svg")


def test_what_is_committed_is_of_the_committed_results() -> None:
    """The document's numbers are those of the files, and so are the picture's bars."""
    rows = kept_rows(RESULTS, tuple(ROWS))
    document = DOCUMENT.read_text()
    assert filled(document, rows) == document
    assert DOCUMENT.with_suffix(".svg").read_text() == chart(rows)


def test_each_file_of_results_is_a_row_of_today() -> None:
    """None is left of one that was renamed."""
    assert {path.stem for path in RESULTS.glob("*.json")} <= set(ROWS)
