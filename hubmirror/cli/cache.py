"""``hubmirror cache``: look at what is kept, and look after it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from hubmirror.cli.operating.command import FAILED, add_common_options, operate

__all__ = ["main", "make_parser", "summary"]

summary = "list, show, verify, remove, pin, export and import what is kept"

_IMAGE: Final = "an image as docker pull takes it, such as busybox:1.36; without a tag"
_WHOLE: Final = f"{_IMAGE} or digest the whole repository"
_LATEST: Final = f"{_IMAGE} or digest its latest"


def main(arguments: Sequence[str]) -> int:
    """Carry out one of the cache's verbs; returns the exit status."""
    options = make_parser().parse_args(arguments)
    status: int = options.run(options)
    return status


def make_parser() -> argparse.ArgumentParser:
    """The verb's arguments."""
    parser = argparse.ArgumentParser(
        prog="hubmirror cache",
        description="Look at what the mirror keeps, and look after it: on the running daemon, or"
        " on its data folder while none runs.",
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    verb = _Verbs(verbs)
    verb.add("ls", "list images", ("*", "a repository; without any, all are listed"))
    verb.add("show", "show what an image is made of", (None, _LATEST))
    verb.add("verify", "hash what is kept, and drop what is rotten", ("?", _WHOLE))
    verb.add("rm", "remove an image or a repository, and what only it needs", (None, _WHOLE))
    refresh = verb.add("refresh", "ask the upstream what an image is now", ("+", _LATEST))
    refresh.add_argument(
        "--platform",
        action="append",
        default=[],
        metavar="P,…",
        help="such as linux/arm64, or all; without any, those that are here",
    )
    verb.add("pin", "keep against eviction, and against deletion upstream", (None, _WHOLE))
    verb.add("unpin", "pin no longer", (None, _WHOLE))
    verb.add("prune", "evict what is over the limits, and abandoned downloads", None)
    export = verb.add("export", "write images to an OCI image layout in a tar", ("+", _LATEST))
    export.add_argument("file", metavar="FILE", help="the tar, or - for standard output")
    export.set_defaults(run=_export)
    _add_import(verb)
    return parser


def _add_import(verb: _Verbs) -> None:
    parser = verb.add(
        "import",
        "take images from an OCI image layout, as a tar or a folder, or from the folder of a"
        " docker-registry",
        None,
    )
    parser.description = (
        "All is verified while it is read. Imported repositories are not public until the"
        " upstream says so: before that, nobody but who has a right there gets them; unless"
        " --public is given."
    )
    parser.add_argument("file", metavar="FILE", help="a tar that is not compressed, or a folder")
    parser.add_argument(
        "--name", metavar="IMAGE", help="what to call an image that has no full name there"
    )
    parser.add_argument(
        "--public", action="store_true", help="let anybody have them, until the upstream objects"
    )
    parser.set_defaults(run=_import)


class _Verbs:
    """Adds verbs that take images, and what all of them take."""

    def __init__(self, parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        self._parsers = parsers

    def add(
        self, name: str, about: str, images: tuple[str | None, str] | None
    ) -> argparse.ArgumentParser:
        """A verb; ``images`` are how many (as in argparse) and what they are."""
        description = f"{about[0].upper()}{about[1:]}."
        parser = self._parsers.add_parser(name, help=about, description=description)
        if images is not None:
            number, what = images
            if number is None:
                parser.add_argument("images", metavar="IMAGE", nargs=1, help=what)
            else:
                parser.add_argument("images", metavar="IMAGE", nargs=number, help=what)
        add_common_options(parser)
        parser.set_defaults(run=_run(name))
        return parser


def _run(name: str) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        images = getattr(options, "images", None) or []
        platforms = [one for text in getattr(options, "platform", []) for one in text.split(",")]
        values = {
            "images": [images] if isinstance(images, str) else images,
            "platforms": platforms,
        }
        return operate(options, name, values)

    return run


def _export(options: argparse.Namespace) -> int:
    values = {"images": options.images}
    if options.file == "-":
        return operate(options, "export", values, [sys.stdout.fileno()], is_stdout_taken=True)
    path = Path(options.file)
    temporary = path.with_name(f"{path.name}.part")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    except OSError as error:
        return _refuse(options.file, error)
    try:
        status = operate(options, "export", values, [fd])
        if status == 0:
            temporary.replace(path)
    finally:
        os.close(fd)
        temporary.unlink(missing_ok=True)
    return status


def _import(options: argparse.Namespace) -> int:
    try:
        fd = os.open(options.file, os.O_RDONLY)
    except OSError as error:
        return _refuse(options.file, error)
    name = [] if options.name is None else [options.name]
    try:
        return operate(options, "import", {"name": name, "public": options.public}, [fd])
    finally:
        os.close(fd)


def _refuse(path: str, error: OSError) -> int:
    print(f"hubmirror: {path}: {error.strerror}", file=sys.stderr)
    return FAILED
