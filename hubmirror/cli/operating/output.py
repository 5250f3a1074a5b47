"""Where reports go: bars on a terminal, plain lines elsewhere, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TextIO

from tqdm import tqdm

from hubmirror.cli.operating.lines import human_size, lines_of, table

__all__ = ["Bars", "JsonLines", "Output", "PlainLines", "make_output"]

#: What makes the exit status 1, though the operation came to its end.
_BAD: Final = frozenset({"problem", "rotten"})


class Output:
    """Takes reports as ``Report.as_json`` has them, and at the end ``close``.

    Results go to ``results``, all else to ``messages``. ``has_failed``: something was wrong.
    """

    def __init__(self, results: TextIO, messages: TextIO) -> None:
        self._results = results
        self._messages = messages
        self.has_failed = False

    def take(self, report: Mapping[str, Any]) -> None:
        """Write one."""
        self.has_failed |= report["event"] in _BAD
        self._write(report)

    def close(self) -> None:
        """Nothing more comes."""

    def _write(self, report: Mapping[str, Any]) -> None:
        raise NotImplementedError


class JsonLines(Output):
    """Each report as one line of JSON."""

    def _write(self, report: Mapping[str, Any]) -> None:
        print(json.dumps(report), file=self._results, flush=True)


class PlainLines(Output):
    """Text; of progress every tenth."""

    def __init__(self, results: TextIO, messages: TextIO) -> None:
        super().__init__(results, messages)
        self._images: list[Mapping[str, Any]] = []
        self._tenth: tuple[str, int] | None = None

    def close(self) -> None:
        """Write the table of images, if there were any."""
        for line in table(self._images) if self._images else ():
            self._say(line, self._results)

    def _write(self, report: Mapping[str, Any]) -> None:
        if report["event"] == "progress":
            self._progress(report["subject"], report["done"], report["total"])
        elif report["event"] == "image":
            self._images.append(report)
        else:
            to = self._messages if report["event"] in _BAD else self._results
            for line in lines_of(report):
                self._say(line, to)

    def _progress(self, subject: str, done: int, total: int) -> None:
        tenth = (subject, 10 * done // max(total, 1))
        if tenth != self._tenth:
            self._tenth = tenth
            text = f"{subject}: {10 * tenth[1]}% of {human_size(total)}"
            self._say(text, self._messages)

    def _say(self, line: str, to: TextIO) -> None:
        print(line, file=to, flush=True)


class Bars(PlainLines):
    """Text, and a bar for what is going on."""

    def __init__(self, results: TextIO, messages: TextIO) -> None:
        super().__init__(results, messages)
        self._subject: str | None = None
        self._bar: tqdm[Any] | None = None

    def close(self) -> None:
        """End the bar, and then as ``PlainLines``."""
        self._end_bar()
        super().close()

    def _progress(self, subject: str, done: int, total: int) -> None:
        if self._bar is None or subject != self._subject:
            self._end_bar()
            self._subject = subject
            self._bar = tqdm(
                desc=subject,
                total=total,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                file=self._messages,
                leave=False,
                dynamic_ncols=True,
            )
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def _say(self, line: str, to: TextIO) -> None:
        self._end_bar()
        super()._say(line, to)

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def make_output(results: TextIO, messages: TextIO, *, is_json: bool) -> Output:
    """The output for these: bars where ``messages`` is a terminal."""
    if is_json:
        return JsonLines(results, messages)
    return (Bars if messages.isatty() else PlainLines)(results, messages)
