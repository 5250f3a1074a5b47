"""The program in the demo's image."""

from __future__ import annotations

import platform
import struct
import subprocess
from pathlib import Path

import pytest

from hubmirror.demo.program import MESSAGE, program
from hubmirror.demo.walk import host_architecture


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_is_an_executable_for_its_machine(architecture: str, machine: int) -> None:
    """The ELF header names the machine, and the one segment is the whole file."""
    content = program(architecture)
    assert content[:4] == b"\x7fELF"
    assert struct.unpack_from("<HH", content, 16) == (2, machine)
    assert struct.unpack_from("<Q", content, 64 + 32) == (len(content),)
    assert content.endswith(MESSAGE)


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="made for two architectures"
)
def test_prints_its_line(tmp_path: Path) -> None:
    """It runs on this machine, prints the line and ends with 0."""
    path = tmp_path / "hello"
    path.write_bytes(program(host_architecture()))
    path.chmod(0o755)
    assert subprocess.run([path], check=True, capture_output=True).stdout == MESSAGE
