"""Names, packets, proxies."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from hubmirror.doctor.findings import Finding, Severity
from hubmirror.doctor.network import link_findings, name_findings, proxy_findings
from hubmirror.upstream.egress import Egress
from hubmirror.upstream.guard import AddressGuard
from hubmirror.upstream.resolver import GuardedResolver

ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
ROUTE = "{}\t{}\t0\t0\t0\t0\t0\t{}\t0\t0\t0\n"


def answering(*addresses: str) -> Callable[..., Any]:
    """A ``getaddrinfo`` with one answer; without any it finds nothing."""

    def getaddrinfo(*_: object) -> list[Any]:
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(0, 0, 0, "", (address, 0)) for address in addresses]

    return getaddrinfo


async def names(reactor: Any, host: str, *addresses: str) -> list[Finding]:
    """What is found about a host."""
    resolver = GuardedResolver(reactor, AddressGuard(), getaddrinfo=answering(*addresses))
    return list(await name_findings(reactor, resolver, host))


@pytest.mark.parametrize(
    ("addresses", "severity", "word"),
    [
        (("192.0.2.1", "2001:db8::1"), Severity.OK, "192.0.2.1, 2001:db8::1"),
        (("192.0.2.1",) * 1 + ("192.0.2.2", "192.0.2.3", "192.0.2.4"), Severity.OK, "…"),
        (("198.18.0.7",), Severity.WARN, "proxy tool"),
        ((), Severity.FAIL, "not found"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_names(
    reactor: Any, addresses: tuple[str, ...], severity: Severity, word: str
) -> None:
    """Found, made up by a tool, or not found."""
    (found,) = await names(reactor, "hub.example", *addresses)

    assert found.severity is severity
    assert word in found.what
    assert bool(found.do) is (severity is not Severity.OK)


@pytest_twisted.ensureDeferred
async def test_an_address_needs_no_name_server(reactor: Any) -> None:
    """So none is asked."""
    (found,) = await names(reactor, "192.0.2.1")

    assert found.severity is Severity.OK


@pytest.mark.parametrize(
    ("egress", "severity", "word"),
    [
        (None, Severity.OK, "directly"),
        (Egress("proxy.example", 3128), Severity.OK, "by the proxy proxy.example:3128"),
        (Egress("proxy.example", 3128, no_proxy="b.example"), Severity.OK, "by the proxy"),
        (
            Egress("proxy.example", 3128, no_proxy="a.example"),
            Severity.WARN,
            "no_proxy (a.example)",
        ),
    ],
)
def test_proxies(egress: Egress | None, severity: Severity, word: str) -> None:
    """Which way it goes."""
    (found,) = proxy_findings(egress, "a.example", "" if egress is None else egress.no_proxy)

    assert found.severity is severity
    assert word in found.what


def machine(root: Path, **sizes: int) -> Path:
    """A machine whose way out is ``eth0``, with networks and the sizes of their packets."""
    (root / "proc/net").mkdir(parents=True)
    rows = ROUTE.format("docker0", "000011AC", "0000FFFF") + ROUTE.format(
        "eth0", "00000000", "00000000"
    )
    (root / "proc/net/route").write_text(ROUTES + rows)
    for name, size in sizes.items():
        (root / "sys/class/net" / name).mkdir(parents=True)
        (root / "sys/class/net" / name / "mtu").write_text(f"{size}\n")
    return root


def test_a_bridge_with_larger_packets_than_the_way_out(tmp_path: Path) -> None:
    """What a container sends may get lost; the size to set is told."""
    (found,) = link_findings(machine(tmp_path, eth0=1400, docker0=1500, lo=65536))

    assert found.severity is Severity.WARN
    assert "docker0 (1500)" in found.what
    assert "lo" not in found.what.split()
    assert '"mtu": 1400' in found.do


def test_packets_that_fit(tmp_path: Path) -> None:
    """Or a machine that tells nothing."""
    assert link_findings(tmp_path)[0].severity is Severity.OK
    (found,) = link_findings(machine(tmp_path, eth0=1500, docker0=1500))

    assert found.severity is Severity.OK
    assert "1500" in found.what
