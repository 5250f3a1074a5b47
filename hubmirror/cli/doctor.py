"""``hubmirror doctor``: what is wrong with the mirror, or with a client of it, and what to do."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from hubmirror.cache.image_names import ImageNames
from hubmirror.cli.operating.command import add_common_options, config_of
from hubmirror.cli.setup import mirror_of, url_argument
from hubmirror.clients.address import MirrorAddress
from hubmirror.clients.machine import Machine
from hubmirror.config import Config
from hubmirror.config.files import read_login
from hubmirror.doctor.checkup import Checkup
from hubmirror.doctor.clients import ClientFiles
from hubmirror.doctor.examining import examine
from hubmirror.doctor.findings import Check, Finding, fail
from hubmirror.doctor.outside import open_outside
from hubmirror.doctor.registry import Target
from hubmirror.doctor.report import as_json, as_text, exit_status
from hubmirror.errors import HubmirrorError

__all__ = ["main", "make_parser", "summary"]

summary = "find out what is wrong with the mirror, or with a client of it, and what to do"

#: Exit status where nothing could be looked at: as bad as a failure that was found.
_FAILED: Final = 2
#: Where clients keep the CA of the mirror, by its host and port.
_CAS: Final = (
    "etc/docker/certs.d/{}/ca.crt",
    "etc/containers/certs.d/{}/ca.crt",
    "etc/containerd/certs.d/docker.io/hubmirror.crt",
)
#: What a mirror of Docker Hub has.
_HELLO: Final = ("library/hello-world", "latest")

#: Makes the checks. Raises ``HubmirrorError`` for a CA that can't be read.
_Plan = Callable[[Checkup], list[Check]]


def main(arguments: Sequence[str]) -> int:
    """Look at all of it and tell; returns 0 if all is right, 1 with warnings, 2 with failures."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not options.from_client and (options.host or options.ca or options.login):
        parser.error("--host, --ca and --login are for --from-client: the mirror has its own")
    found: list[Finding] = []
    try:
        plan = _of_client(options) if options.from_client else _of_mirror(options)
        react(partial(_run, plan, options.seconds, found))
    except HubmirrorError as error:
        print(f"hubmirror: {error}", file=sys.stderr)
        return _FAILED
    except SystemExit as ended:
        if ended.code:
            raise
    print(as_json(found) if options.json else as_text(found))
    return exit_status(found)


def make_parser() -> argparse.ArgumentParser:
    """The verb's arguments."""
    parser = argparse.ArgumentParser(
        prog="hubmirror doctor",
        description="Look at all that the mirror depends on: names, time, upstreams, token servers,"
        " blob hosts, certificates, the disk, ports, limits, clients. No pull of Docker Hub's is"
        " spent. The exit status is 0 if all is right, 1 with warnings, 2 with failures.",
    )
    parser.add_argument(
        "--from-client", action="store_true", help="look at the mirror from a client's machine"
    )
    parser.add_argument(
        "--host",
        type=url_argument,
        metavar="URL",
        help="with --from-client: where the mirror is (default: what the configuration says)",
    )
    parser.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="with --from-client: the CA (PEM) to trust (default: what docker, podman or containerd"
        " have for the mirror)",
    )
    parser.add_argument(
        "--login",
        type=_login,
        metavar="FILE",
        help="with --from-client: a file (mode 0600) with user:password for the mirror",
    )
    parser.add_argument(
        "--image",
        metavar="NAME:TAG",
        help="a public image to ask for (default: a well-known one of a well-known registry)",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=10.0,
        metavar="N",
        help="how long each request may take (default: 10)",
    )
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="where the clients' files are"
    )
    add_common_options(parser)
    return parser


def _login(name: str) -> tuple[str, str]:
    try:
        return read_login(Path(name))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> float:
    seconds = float(text)  # argparse tells of what is no number
    if not 0 < seconds < 3600:
        raise argparse.ArgumentTypeError("it must be more than 0, and less than an hour")
    return seconds


def _run(plan: _Plan, seconds: float, found: list[Finding], reactor: Any) -> Deferred[None]:
    async def run() -> None:
        try:
            found.extend(await examine(reactor, plan(Checkup(reactor, time.time, seconds))))
        except HubmirrorError as error:
            found.append(fail("ca", str(error), "give a file of certificates (PEM)"))

    return Deferred.fromCoroutine(run())


def _of_mirror(options: argparse.Namespace) -> _Plan:
    config = config_of(options)
    image = options.image and _parsed(options.image, is_hub=config.uses_library_prefix)
    clients = ClientFiles(
        Machine(options.root), shutil.which, _urls(config), config.client_registries
    )
    return lambda checkup: checkup.of_mirror(config, image, clients)


def _of_client(options: argparse.Namespace) -> _Plan:
    mirror = MirrorAddress(options.host) if options.host else mirror_of(config_of(options))
    image = _HELLO if options.image is None else _parsed(options.image, is_hub=True)
    target = Target(mirror.url, image, counts_pulls=True)
    clients = ClientFiles(Machine(options.root), shutil.which, [mirror.url], mirror.registries)
    ca = options.ca or _known_ca(options.root, mirror.url)

    def checks(checkup: Checkup) -> list[Check]:
        outside = open_outside(
            checkup.reactor, checkup.now, checkup.seconds, own_hosts=[target.host], ca=ca
        )
        return checkup.of_client(outside, target, clients, ca=ca, login=options.login)

    return checks


def _parsed(image: str, *, is_hub: bool) -> tuple[str, str]:
    """Name and tag. Raises ``ImageNameInvalid``."""
    name = ImageNames("docker.io", library_prefix=is_hub).parse(image).or_latest()
    return name.repository.name, str(name.reference)


def _urls(config: Config) -> list[str]:
    """By which URLs clients on this machine may know the mirror, the best one first."""
    listeners = [("https", one) for one in config.https] + [("http", one) for one in config.http]
    hosts = ("127.0.0.1", "localhost", "[::1]")
    found = [config.public_url] if config.public_url else []
    for scheme, address in listeners:
        if not address.port:  # nobody can know it
            continue
        if address.host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
            found += [f"{scheme}://{host}:{address.port}" for host in hosts]
        else:
            found.append(f"{scheme}://{address}")
    return found


def _known_ca(root: Path, url: str) -> Path | None:
    files = (root / name.format(urlsplit(url).netloc) for name in _CAS)
    return next((file for file in files if file.is_file()), None)
