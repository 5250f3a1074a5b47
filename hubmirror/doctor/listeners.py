"""Where the mirror listens: whether it can, and who can reach it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from typing import Final

from attrs import frozen

from hubmirror.config import Config, ListenAddress
from hubmirror.doctor.findings import Finding, fail, ok, warn
from hubmirror.doctor.processes import Process, Processes
from hubmirror.greeting import warnings

__all__ = ["Ports", "exposure_findings", "own_address"]

_ANY: Final = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not listened on


@frozen
class Ports:
    """Whether the addresses are free, or taken by the ``daemon`` itself where one runs."""

    processes: Processes
    daemon: int | None

    def findings(self, config: Config) -> list[Finding]:
        """One for each address that ``config`` has."""
        return [self._look(address) for address in _addresses(config)]

    def _look(self, address: ListenAddress) -> Finding:
        try:
            _bind(address)
        except OSError as error:
            return self._refused(address, error)
        daemon = self.daemon
        if daemon is not None and self.processes.has_sockets_of_systemd(daemon):
            return ok("port", f"{address} is free: the mirror listens on sockets of systemd's")
        if daemon is not None and address.port:
            return warn(
                "port",
                f"the mirror runs, but does not listen on {address}",
                "it was started with another configuration: restart it",
            )
        return ok("port", f"{address} is free")

    def _refused(self, address: ListenAddress, error: OSError) -> Finding:
        if error.errno == errno.EADDRINUSE:
            return self._taken(address)
        if error.errno == errno.EACCES:
            advice = "ports below 1024: AmbientCapabilities=CAP_NET_BIND_SERVICE in its unit"
            return fail("port", f"{address} may not be listened on", advice)
        why = (error.strerror or str(error)).lower()
        advice = "is it an address of this machine?"
        return fail("port", f"{address} can't be listened on: {why}", advice)

    def _taken(self, address: ListenAddress) -> Finding:
        found = self.processes.listeners(address.port)
        if self.daemon is not None:
            ours = self.processes.family(self.daemon)
            if not found or any(one.pid in ours for one in found):
                return ok("port", f"the mirror listens on {address}")
        elif Process(1, "systemd") in found:
            return ok("port", f"systemd holds {address}, for the mirror to be started")
        return fail(
            "port",
            f"{address} is taken by {_named(found)}",
            "end that, or give the mirror another address",
        )


def exposure_findings(config: Config, own: Callable[[], str | None]) -> list[Finding]:
    """Who can reach the mirror, and what for. ``own`` is this machine's address to the outside."""
    return list(_exposed(config, own))


def own_address() -> str | None:
    """The address by which this machine goes out; nothing is sent for that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: the way there is the default route
        except OSError:
            return None
        found: str = probe.getsockname()[0]
        return found


def _exposed(config: Config, own: Callable[[], str | None]) -> Iterator[Finding]:
    for address in config.http:
        host = "::" if address.host in _ANY else address.host
        if _is_literal(host):
            for told in warnings([f"http://{ListenAddress(host, address.port)}"]):
                what, _, advice = told.partition("; ")
                yield warn("exposure", what, advice)
    public = [one for one in (*config.http, *config.https) if _is_public(one, own)]
    if public and not _has_rules(config):
        yield warn(
            "exposure",
            f"{public[0]} can be reached from the internet, and the mirror has no rules:"
            " strangers will find it and use it up",
            "say who may use it (access), or have a firewall do so",
        )
    elif public:
        yield ok("exposure", f"{public[0]} can be reached from the internet, by rules")
    else:
        yield ok("exposure", "the mirror can't be reached from the internet by its own addresses")


def _is_public(address: ListenAddress, own: Callable[[], str | None]) -> bool:
    host = (own() or "") if address.host in _ANY else address.host
    return _is_literal(host) and ip_address(host).is_global


def _has_rules(config: Config) -> bool:
    """Whether somebody is kept out: by network, by login, by certificate, by a rule."""
    is_closed = "required" in (config.access_login, config.client_certificates)
    return is_closed or bool(config.access_allow or config.access_rule)


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _addresses(config: Config) -> Sequence[ListenAddress]:
    return (*config.http, *config.https, *config.monitor)


def _bind(address: ListenAddress) -> None:
    """Take the address for a moment. Raises ``OSError`` where somebody has it."""
    anywhere = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - let go at once
    host = address.host or anywhere
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, bool(address.host))
        probe.bind((host, address.port))


def _named(processes: Sequence[Process]) -> str:
    told = [f"{one.name} (process {one.pid})" for one in processes]
    return ", ".join(told) or "another process (run this as root to see which)"
