"""Configuration files."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hubmirror.config import ConfigError, load
from tests.fuzz.target import Target

EXAMPLE = Path(__file__).parents[3] / "etc" / "hubmirror.toml"


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="hubmirror-fuzz-")


def run(data: bytes) -> None:
    """In force, or a ``ConfigError``, which a terminal can show."""
    path = Path(_folder().name) / "hubmirror.toml"
    path.write_bytes(data)
    try:
        load({"config": str(path)}, {}, folder=path.parent, uid=1)
    except ConfigError as error:
        assert error.problems  # noqa: PT017
        str(error).encode()


_LINES = tuple(
    line.removeprefix(b"#")
    for line in EXAMPLE.read_bytes().splitlines()
    if line.startswith(b"#") and b" = " in line and line[1:2].isalpha()
)
TARGET = Target(
    run,
    (
        b"\n".join(_LINES[::2]),
        b"\n".join(_LINES[1::2]),
        b'[upstream."ghcr.io"]\nurl = "https://ghcr.io"\nhosts = ["ghcr.mirror.example"]\n',
        b'[[access.rule]]\naction = "block"\nrepositories = ["*/evil/**"]\nmessage = "no"\n',
        b'[networks]\noffice = ["10.0.0.0/8"]\n[warm]\nimages = ["busybox"]\nperiod = "1h"\n',
    ),
    (*_LINES, b'"', b" = ", b"[", b"]", b"[[", b"'''", b"{", b"}", b"1979-05-27", b"inf", b"nan"),
)
