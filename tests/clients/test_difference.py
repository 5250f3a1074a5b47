"""What a person sees of a change."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from hubmirror.clients.changes import Change
from hubmirror.clients.difference import difference


def shown(before: bytes | None, after: bytes | None) -> list[str]:
    """The lines of the difference."""
    return difference(Change(PurePosixPath("/etc/f"), before, after)).splitlines()


def test_a_unified_diff() -> None:
    """With the file's name; a last line without its end is told of."""
    assert shown(b"a\nb", b"a\nc\n") == [
        "--- /etc/f",
        "+++ /etc/f",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "\\ No newline at end of file",
        "+c",
    ]


def test_a_new_file_and_one_that_goes() -> None:
    """There is nothing on the other side."""
    assert shown(None, b"a\n")[:2] == ["--- /dev/null", "+++ /etc/f"]
    assert shown(b"a\n", None)[:2] == ["--- /etc/f", "+++ /dev/null"]
    assert shown(b"a\n", b"a\n") == []


@pytest.mark.parametrize(
    "line",
    [
        '      password: "geheim"',
        'auth = "geheim"',
        '"identitytoken": "geheim",',
        '"http-proxy": "http://user:geheim@proxy:3128"',
    ],
)
def test_secrets_are_not_shown(line: str) -> None:
    """A terminal's log lasts."""
    text = "\n".join(shown(f"{line}\n".encode(), f"{line}\nb\n".encode()))

    assert "geheim" not in text
    assert "…" in text


def test_a_file_does_not_rule_the_terminal() -> None:
    """Control characters are not sent there, nor what is no text."""
    text = "".join(shown(None, b"\x1b[31m\xff\r\n"))

    assert "\x1b" not in text
    assert "\r" not in text
