"""``hubmirror doctor``: what is wrong with the mirror, or with a client of it, and what to do."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from hubmirror.cache.image_names import ImageNames
from hubmirror.cli.operating.command import add_common_options, config_of
from hubmirror.cli.setup import mirror_of, url_argument
from hubmirror.clients.machine import Machine
from hubmirror.config import Config
from hubmirror.doctor.checkup import Checkup
from hubmirror.doctor.clients import ClientFiles
from hubmirror.doctor.examining import examine
from hubmirror.doctor.findings import Check, Finding, fail
from hubmirror.doctor.outside import Outside, egress_of, open_outside
from hubmirror.doctor.registry import Target, default_image
from hubmirror.doctor.report import as_json, as_text, exit_status
from hubmirror.errors import HubmirrorError

__all__ = ["main", "summary"]

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

#: Opens the way to the network, and makes the checks that go there.
_Plan = tuple[Callable[[Any], Outside], Callable[[Checkup], list[Check]]]


def main(arguments: Sequence[str]) -> int:
    """Look at all of it and tell; returns 0 if all is right, 1 with warnings, 2 with failures."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.host and not options.from_client:
        parser.error("--host is for --from-client: the mirror itself knows its upstream")
    found: list[Finding] = []
    try:
        plan = _of_client(options) if options.from_client else _of_mirror(options)
        react(lambda reactor: Deferred.fromCoroutine(_run(reactor, options, plan, found)))
    except HubmirrorError as error:
        print(f"hubmirror: {error}", file=sys.stderr)
        return _FAILED
    except SystemExit as ended:
        if ended.code:
            raise
    print(as_json(found) if options.json else as_text(found))
    return exit_status(found)


def _parser() -> argparse.ArgumentParser:
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
        "--image",
        metavar="NAME:TAG",
        help="a public image to ask for (default: a well-known one of a well-known registry)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=10.0,
        metavar="N",
        help="how long each request may take (default: 10)",
    )
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="where the clients' files are"
    )
    add_common_options(parser)
    return parser


async def _run(
    reactor: Any, options: argparse.Namespace, plan: _Plan, found: list[Finding]
) -> None:
    opened, checks = plan
    try:
        outside = opened(reactor)
    except HubmirrorError as error:
        found.append(fail("ca", str(error), "give a file of certificates (PEM)"))
        return
    try:
        checkup = Checkup(reactor, outside, options.seconds)
        found += await examine(reactor, checks(checkup))
    finally:
        await outside.close()


def _of_mirror(options: argparse.Namespace) -> _Plan:
    config = config_of(options)
    target = _upstream(config, options.image)
    clients = ClientFiles(Machine(options.root), shutil.which, _urls(config))

    def opened(reactor: Any) -> Outside:
        return open_outside(
            reactor,
            time.time,
            options.seconds,
            own_hosts=[target.host],
            allow_private=config.allow_private,
            egress=egress_of(config),
            ca=config.upstream_ca,
        )

    return opened, lambda checkup: checkup.of_mirror(config, [target], clients)


def _of_client(options: argparse.Namespace) -> _Plan:
    url = options.host or mirror_of(config_of(options)).url
    image = _HELLO if options.image is None else _parsed(options.image, is_hub=True)
    target = Target(url, image, counts_pulls=True)
    clients = ClientFiles(Machine(options.root), shutil.which, [url])
    ca = options.ca or _known_ca(options.root, url)

    def opened(reactor: Any) -> Outside:
        return open_outside(reactor, time.time, options.seconds, own_hosts=[target.host], ca=ca)

    return opened, lambda checkup: checkup.of_client(target, ca, clients)


def _upstream(config: Config, image: str | None) -> Target:
    if image is None:
        found = default_image(urlsplit(config.upstream).hostname or "")
    else:
        found = _parsed(image, is_hub=config.uses_library_prefix)
    return Target(config.upstream, found, counts_pulls=config.is_docker_hub)


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
        if address.host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
            found += [f"{scheme}://{host}:{address.port}" for host in hosts]
        else:
            found.append(f"{scheme}://{address}")
    return found


def _known_ca(root: Path, url: str) -> Path | None:
    files = (root / name.format(urlsplit(url).netloc) for name in _CAS)
    return next((file for file in files if file.is_file()), None)
