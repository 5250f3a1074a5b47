"""``hubmirror pull``: let the running mirror fetch images before anybody asks for them."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from hubmirror.cli.operating.command import add_common_options, operate

__all__ = ["host_platform", "main", "make_parser", "summary"]

summary = "fetch images through the running mirror, so that it keeps them"

#: Machines in the words of images (the values of Go's GOARCH), where they differ.
_ARCHITECTURES: Final[Mapping[str, str]] = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm/v7",
    "armv6l": "arm/v6",
    "i686": "386",
}


def main(arguments: Sequence[str]) -> int:
    """Pull all that is named; returns the exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    try:
        images = [*options.images, *_listed(options.file)]
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"{options.file} can't be read: {error}")
    if not images:
        parser.error("name an image, or a file with --file")
    platforms = [one for text in options.platform for one in text.split(",") if one]
    values = {"images": images, "platforms": platforms or [host_platform()]}
    return operate(options, "pull", values)


def make_parser() -> argparse.ArgumentParser:
    """The verb's arguments."""
    parser = argparse.ArgumentParser(
        prog="hubmirror pull", description=f"{summary[0].upper()}{summary[1:]}."
    )
    parser.add_argument("images", metavar="IMAGE", nargs="*", help="as docker pull takes it")
    parser.add_argument(
        "--platform",
        action="append",
        default=[],
        metavar="P,…",
        help="such as linux/amd64,linux/arm64, or all (default: this machine's)",
    )
    parser.add_argument(
        "--file", metavar="LIST", help="a file with an image a line, # for comments; - for stdin"
    )
    add_common_options(parser)
    return parser


def host_platform() -> str:
    """The platform of this machine, as images have it."""
    machine = platform.machine()
    return f"linux/{_ARCHITECTURES.get(machine, machine)}"


def _listed(file: str | None) -> list[str]:
    if file is None:
        return []
    text = sys.stdin.read() if file == "-" else Path(file).read_text()
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]
