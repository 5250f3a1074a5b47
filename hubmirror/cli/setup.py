"""``hubmirror setup``: write the files by which a client pulls through the mirror, or undo it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from attrs import evolve
from cryptography.x509 import load_pem_x509_certificates

from hubmirror.cli.operating.command import FAILED, INTERRUPTED, config_of
from hubmirror.clients.address import DOCKER_HUB, MirrorAddress
from hubmirror.clients.catalogue import CLIENTS
from hubmirror.clients.changes import Change, Setup
from hubmirror.clients.difference import difference
from hubmirror.clients.files import Client, ClientFile, SetupError
from hubmirror.clients.machine import Machine
from hubmirror.config import Config, ListenAddress
from hubmirror.config.addresses import origin

__all__ = ["main", "make_parser", "mirror_of", "summary", "url_argument"]

summary = "set up docker, containerd, podman and others on this machine to use the mirror"

_LOOPBACK: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - a key


def main(arguments: Sequence[str]) -> int:
    """Show what would change, and change it where that is wanted; returns the exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    client = CLIENTS[options.client]
    place = client.place if options.config_path is None else options.config_path
    try:
        record = place.parent / f"hubmirror-setup-{client.key}.json"
        setup = Setup(Machine(options.root), record)
        if options.undo:
            return _undo(setup, client, is_agreed=options.apply)
        return _set_up(setup, client, place, options)
    except SetupError as error:
        print(f"hubmirror: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def mirror_of(config: Config) -> MirrorAddress:
    """The mirror that ``config`` describes, as its own machine may reach it, with all it mirrors.

    Raises ``SetupError`` where that can't be told from a configuration.
    """
    is_own_ca = bool(config.https) and config.certificate is None and not config.acme
    url = config.public_url or _url(config)
    is_trusted = not is_own_ca or url.startswith("http:")
    ca = None if is_trusted else _own_ca(config)
    return MirrorAddress(url, config.client_registries, ca, default=config.client_registries[0])


def _url(config: Config) -> str:
    for scheme, addresses in (("https", config.https), ("http", config.http)):
        for address in addresses:
            if not address.port:
                break
            host = _LOOPBACK.get(address.host, address.host)
            if scheme == "https" and config.acme:  # the names that its certificate is for
                host = config.acme[0]
            return f"{scheme}://{ListenAddress(host, address.port)}"
    raise SetupError("the configuration does not tell where the mirror is: say it with --host")


def _own_ca(config: Config) -> bytes | None:
    try:
        return (config.data / "tls" / "ca.pem").read_bytes()
    except OSError:  # the daemon has not made it yet, or it is on another machine
        return None


def make_parser() -> argparse.ArgumentParser:
    """The verb's arguments."""
    parser = argparse.ArgumentParser(
        prog="hubmirror setup",
        description="Set up a client of this machine to pull through the mirror. First the"
        " difference is shown; it is written when you agree, or at once with --apply. A copy of"
        " what was there is kept, and --undo puts it back.",
    )
    parser.add_argument("client", choices=CLIENTS, metavar="CLIENT", help=", ".join(CLIENTS))
    parser.add_argument(
        "--host",
        type=url_argument,
        metavar="URL",
        help="where the mirror is, such as https://hub.example.org (default: what the"
        " configuration says: public_url, or where it listens)",
    )
    parser.add_argument(
        "--registry",
        action="append",
        metavar="NAME",
        help="a registry that is mirrored; may recur (default: what the configuration says, or"
        f" {DOCKER_HUB} with --host)",
    )
    parser.add_argument(
        "--ca",
        type=_certificates,
        metavar="FILE",
        help="the CA (PEM) to trust for the mirror (default: its own CA, where it has made one)",
    )
    parser.add_argument("--apply", action="store_true", help="write it without asking")
    parser.add_argument("--undo", action="store_true", help="put back what was there before")
    parser.add_argument("--print", action="store_true", help="print the files, and write nothing")
    parser.add_argument(
        "--config-path",
        type=PurePosixPath,
        metavar="PATH",
        help="the file that the client reads (containerd and nerdctl: the folder of their"
        " hosts.toml), if it is not in its usual place",
    )
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="a machine whose / is there"
    )
    parser.add_argument("--config", metavar="FILE", help="the mirror's configuration file")
    parser.add_argument("--data", metavar="FOLDER", help="the mirror's data folder")
    return parser


def url_argument(text: str) -> str:
    """The URL of a mirror, as an argument of a command."""
    try:
        return origin(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{error}; it must be the http or https URL of a host, such as https://hub.example.org"
        ) from None


def _certificates(name: str) -> bytes:
    try:
        content = Path(name).read_bytes()
        load_pem_x509_certificates(content)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{name} can't be read: {error.strerror}") from None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name} holds no certificate (PEM)") from None
    return content


def _set_up(setup: Setup, client: Client, place: PurePosixPath, options: argparse.Namespace) -> int:
    mirror = _mirror(options)
    files = list(client.files(mirror, place, setup.look))
    if options.print:
        print("\n".join(_printed(setup, file) for file in files), end="")
        return 0
    for note in client.notes(mirror):
        print(f"note: {note}", file=sys.stderr)
    changes = setup.plan(files)
    if not changes:
        print(f"{client.name} is set up for {mirror.url} already")
        return 0
    if not _agreed(changes, is_agreed=options.apply):
        return 0
    _tell(setup.apply(changes))
    _tell_what_to_do(files, changes)
    return 0


def _mirror(options: argparse.Namespace) -> MirrorAddress:
    mirror = MirrorAddress(options.host) if options.host else mirror_of(config_of(options))
    return evolve(
        mirror,
        registries=tuple(dict.fromkeys(options.registry or mirror.registries)),
        ca=options.ca or mirror.ca,
    )


def _printed(setup: Setup, file: ClientFile) -> str:
    text = file.merge(setup.look(file.path)).decode(errors="replace")
    return f"# {file.path}\n{text}"


def _undo(setup: Setup, client: Client, *, is_agreed: bool) -> int:
    if not setup.is_done:
        print(f"nothing to undo: {client.name} was not set up by this command")
        return 0
    changes = setup.plan_undo()
    if changes and not _agreed(changes, is_agreed=is_agreed):
        return 0
    _tell(setup.undo())
    print(f"let {client.name} read its files again, as after the setup")
    return 0


def _agreed(changes: Sequence[Change], *, is_agreed: bool) -> bool:
    for change in changes:
        print(difference(change), end="")
    if is_agreed:
        return True
    if sys.stdin.isatty():
        return input("write this? [y/N] ").strip().lower() in ("y", "yes")
    print("nothing is written yet: say --apply to write it", file=sys.stderr)
    return False


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        print(line)


def _tell_what_to_do(files: Sequence[ClientFile], changes: Sequence[Change]) -> None:
    changed = {change.path for change in changes}
    commands = dict.fromkeys(file.then for file in files if file.then and file.path in changed)
    if commands:
        print(f"now run: {' && '.join(map(str, commands))}")
    else:
        print("it is read with the next pull")
