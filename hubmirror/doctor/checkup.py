"""Which checks there are: for the mirror's own machine, and for a client's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import evolve, frozen

from hubmirror.config import Config
from hubmirror.connecting import egress_of
from hubmirror.doctor.certificates import certificate_findings
from hubmirror.doctor.clients import ClientFiles
from hubmirror.doctor.disk import disk_findings
from hubmirror.doctor.examining import blocking
from hubmirror.doctor.findings import Check, Finding
from hubmirror.doctor.limits import descriptor_findings
from hubmirror.doctor.listeners import Ports, exposure_findings, own_address
from hubmirror.doctor.network import host_of, link_findings, name_findings, proxy_findings
from hubmirror.doctor.outside import Outside, outside_of
from hubmirror.doctor.processes import Processes, daemon_pid
from hubmirror.doctor.registry import RegistryCheck, Target, default_image
from hubmirror.doctor.tls import shown_certificate

__all__ = ["Checkup", "Image", "upstreams_of"]

#: The name and the tag of an image.
Image = tuple[str, str]
#: A registry is asked so many times at most, one after another.
_STEPS: Final = 8


@frozen
class Checkup:
    """Makes the checks. Each request, and each look at the disk, has ``seconds``.

    ``now`` is the wall clock, in seconds since the epoch.
    """

    reactor: Any
    now: Callable[[], float]
    seconds: float

    def of_mirror(self, config: Config, image: Image | None, clients: ClientFiles) -> list[Check]:
        """All that a mirror with this configuration depends on.

        ``image`` is what the default upstream is asked for, None for a well-known one. Raises
        ``HubmirrorError`` for an ``upstream_ca`` that can't be read.
        """
        return [
            *self._upstreams(config, image),
            self._blocking("mtu", link_findings),
            self._blocking("certificate", lambda: certificate_findings(config, self._today())),
            self._blocking("disk", partial(disk_findings, config.data, config.min_free)),
            self._blocking("port", lambda: _ports(config)),
            self._blocking("exposure", partial(exposure_findings, config, own_address)),
            self._blocking("clients", clients.findings),
        ]

    def of_client(
        self,
        outside: Outside,
        target: Target,
        clients: ClientFiles,
        *,
        ca: Path | None = None,
        login: tuple[str, str] | None = None,
    ) -> list[Check]:
        """All that a client of the mirror ``target`` depends on.

        ``ca`` is one that it trusts, ``login`` a user there and a password.
        """
        advice = "let this machine trust its CA: hubmirror setup CLIENT --host URL --ca FILE"
        url = target.url
        return [
            self._name(outside, host_of(url)),
            self._registry(RegistryCheck(outside, target, login, advice), target),
            self._blocking(
                "certificate", lambda: shown_certificate(url, ca, self._today(), self.seconds)
            ),
            self._blocking("mtu", link_findings),
            self._blocking("clients", clients.findings),
        ]

    def _upstreams(self, config: Config, image: Image | None) -> Iterator[Check]:
        known: set[str] = set()
        for number, one in enumerate(upstreams_of(config)):
            outside = outside_of(self.reactor, self.now, one, self.seconds)
            asked = image if number == 0 else None
            yield from self._upstream(outside, one, asked, known)

    def _upstream(
        self, outside: Outside, config: Config, image: Image | None, known: set[str]
    ) -> Iterator[Check]:
        """The checks of one upstream. What is in ``known`` has been looked up already."""
        host, egress = host_of(config.upstream), egress_of(config)
        via = egress.host if egress is not None and egress.serves(host, 443) else host
        if via not in known:
            known.add(via)
            yield self._name(outside, via)
        no_proxy = ",".join(config.no_proxy)
        yield self._blocking("proxy", partial(proxy_findings, egress, host, no_proxy))
        target = Target(config.upstream, image or default_image(host), config.is_docker_hub)
        login = config.upstream_login if config.pulls_as_itself else None
        yield self._registry(RegistryCheck(outside, target, login), target)

    def _name(self, outside: Outside, host: str) -> Check:
        look = partial(name_findings, outside.clock, outside.resolver, host)
        return Check("name", look, 2 * self.seconds)

    def _registry(self, check: RegistryCheck, target: Target) -> Check:
        return Check(target.host, check.look, _STEPS * self.seconds)

    def _blocking(self, name: str, look: Callable[[], Sequence[Finding]]) -> Check:
        return blocking(self.reactor, name, 2 * self.seconds, look)

    def _today(self) -> datetime:
        return datetime.fromtimestamp(self.now(), timezone.utc)


def upstreams_of(config: Config) -> list[Config]:
    """The configuration as it is for each upstream, the default one first, and for each that

    stands in for one.
    """
    named = {one.name: one for one in (config.default, *config.upstreams)}
    found: dict[str, Config] = {}
    for one in named.values():
        towards = config.towards(one)
        for url in (one.url, *one.fallbacks):
            found.setdefault(url, evolve(towards, upstream=url))
    return list(found.values())


def _ports(config: Config) -> list[Finding]:
    daemon, processes = daemon_pid(config.data), Processes()
    return [
        *Ports(processes, daemon).findings(config),
        *descriptor_findings(config.max_connections, daemon, processes),
    ]
