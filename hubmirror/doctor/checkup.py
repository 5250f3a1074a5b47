"""Which checks there are: for the mirror's own machine, and for a client's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from hubmirror.config import Config
from hubmirror.doctor.certificates import certificate_findings
from hubmirror.doctor.clients import ClientFiles
from hubmirror.doctor.disk import disk_findings
from hubmirror.doctor.examining import blocking
from hubmirror.doctor.findings import Check, Finding
from hubmirror.doctor.limits import descriptor_findings
from hubmirror.doctor.listeners import Ports, exposure_findings, own_address
from hubmirror.doctor.network import host_of, link_findings, name_findings, proxy_findings
from hubmirror.doctor.outside import Outside, egress_of
from hubmirror.doctor.processes import Processes, daemon_pid
from hubmirror.doctor.registry import RegistryCheck, Target
from hubmirror.doctor.tls import shown_certificate

__all__ = ["Checkup"]

#: A registry is asked so many times at most, one after another.
_STEPS: Final = 8


@frozen
class Checkup:
    """Makes the checks. Each request, and each look at the disk, has ``seconds``."""

    reactor: Any
    outside: Outside
    seconds: float

    def of_mirror(
        self, config: Config, targets: Sequence[Target], clients: ClientFiles
    ) -> list[Check]:
        """All that a mirror with this configuration depends on; ``targets`` are its upstreams."""
        login = config.upstream_login if config.auth == "mirror" else None
        egress = egress_of(config)
        hosts = [target.host for target in targets]
        looked_up = [host for host in hosts if egress is None or not egress.serves(host, 443)]
        if egress is not None:
            looked_up.append(egress.host)
        no_proxy = ",".join(config.no_proxy)
        return [
            *(self._name(host) for host in dict.fromkeys(looked_up)),
            self._blocking("proxy", partial(proxy_findings, egress, hosts, no_proxy)),
            *(self._registry(RegistryCheck(self.outside, one, login), one) for one in targets),
            self._blocking("mtu", link_findings),
            self._blocking("certificate", lambda: certificate_findings(config, self._now())),
            self._blocking("disk", partial(disk_findings, config.data, config.min_free)),
            self._blocking("port", lambda: _ports(config)),
            self._blocking("exposure", partial(exposure_findings, config, own_address)),
            self._blocking("clients", clients.findings),
        ]

    def of_client(self, target: Target, ca: Path | None, clients: ClientFiles) -> list[Check]:
        """All that a client of the mirror ``target`` depends on; ``ca`` is one that it trusts."""
        advice = "let this machine trust its CA: hubmirror setup CLIENT --host URL --ca FILE"
        check = RegistryCheck(self.outside, target, None, advice)
        url = target.url
        return [
            self._name(host_of(url)),
            self._registry(check, target),
            self._blocking(
                "certificate", lambda: shown_certificate(url, ca, self._now(), self.seconds)
            ),
            self._blocking("mtu", link_findings),
            self._blocking("clients", clients.findings),
        ]

    def _name(self, host: str) -> Check:
        look = partial(name_findings, self.outside.clock, self.outside.resolver, host)
        return Check("name", look, 2 * self.seconds)

    def _registry(self, check: RegistryCheck, target: Target) -> Check:
        return Check(target.host, check.look, _STEPS * self.seconds)

    def _blocking(self, name: str, look: Callable[[], Sequence[Finding]]) -> Check:
        return blocking(self.reactor, name, 2 * self.seconds, look)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.outside.now(), timezone.utc)


def _ports(config: Config) -> list[Finding]:
    daemon, processes = daemon_pid(config.data), Processes()
    return [
        *Ports(processes, daemon).findings(config),
        *descriptor_findings(config.max_connections, daemon, processes),
    ]
