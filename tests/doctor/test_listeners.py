"""Where the mirror listens."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from hubmirror.config import Config, ListenAddress, load
from hubmirror.doctor.findings import Severity, worst
from hubmirror.doctor.listeners import Ports, exposure_findings, own_address
from hubmirror.doctor.processes import Process, Processes


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A configuration of defaults."""
    return load({"data": str(tmp_path), "http": "127.0.0.1:0"}, {}, folder=tmp_path).config


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def on(config: Config, *addresses: tuple[str, int]) -> Config:
    """The same with other listeners."""
    return evolve(config, http=tuple(ListenAddress(*one) for one in addresses))


def test_a_free_port(config: Config) -> None:
    """Whether all addresses or one."""
    found = Ports(Processes(), None).findings(on(config, ("", 0), ("127.0.0.1", 0), ("::1", 0)))

    assert worst(found) is Severity.OK
    assert len(found) == 3


def test_a_port_that_somebody_has(config: Config, taken: int) -> None:
    """By its name and its number."""
    (found,) = Ports(Processes(), None).findings(on(config, ("127.0.0.1", taken)))

    assert found.severity is Severity.FAIL
    assert f"process {os.getpid()}" in found.what


def test_a_port_that_the_mirror_has(config: Config, taken: int) -> None:
    """It runs, then; another process is not taken for it."""
    ours = Ports(Processes(), os.getpid()).findings(on(config, ("127.0.0.1", taken)))
    theirs = Ports(Processes(), 1).findings(on(config, ("127.0.0.1", taken)))

    assert worst(ours) is Severity.OK
    assert worst(theirs) is Severity.FAIL


def test_a_port_that_the_mirror_should_have(config: Config, taken: int) -> None:
    """It was started with another configuration."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]

    (found,) = Ports(Processes(), os.getpid()).findings(on(config, ("127.0.0.1", free)))

    assert found.severity is Severity.WARN


class Faked(Processes):
    """Processes where systemd has to do with the mirror's sockets."""

    def listeners(self, _port: int) -> list[Process]:
        """Who listens: systemd alone."""
        return [Process(1, "systemd")]

    def has_sockets_of_systemd(self, _pid: int) -> bool:
        """It was handed some."""
        return True


def test_sockets_that_systemd_holds(config: Config, taken: int) -> None:
    """For a mirror that is to be started by them, or that has them already."""
    before = Ports(Faked(), None).findings(on(config, ("127.0.0.1", taken)))
    then = Ports(Faked(), os.getpid()).findings(on(config, ("127.0.0.1", 0)))

    assert worst(before) is Severity.OK
    assert "systemd holds" in before[0].what
    assert worst(then) is Severity.OK


def test_an_address_of_another_machine(config: Config) -> None:
    """It can't be listened on."""
    (found,) = Ports(Processes(), None).findings(on(config, ("192.0.2.1", 0)))

    assert found.severity is Severity.FAIL
    assert "cannot assign" in found.what


@pytest.mark.parametrize(
    ("host", "own", "severity", "word"),
    [
        ("127.0.0.1", "8.8.8.8", Severity.OK, "can't be reached"),
        ("10.0.0.1", "8.8.8.8", Severity.WARN, "no TLS"),
        ("", "10.0.0.1", Severity.WARN, "no TLS"),
        ("", None, Severity.WARN, "no TLS"),
        ("", "8.8.8.8", Severity.WARN, "no rules"),
        ("8.8.8.8", None, Severity.WARN, "no rules"),
        ("a.name.example", None, Severity.OK, "can't be reached"),
    ],
)
def test_exposure(
    config: Config, host: str, own: str | None, severity: Severity, word: str
) -> None:
    """Who is let in by whom."""
    found = exposure_findings(on(config, (host, 5000)), lambda: own)

    assert worst(found) is severity
    assert any(word in one.what for one in found)
    assert all(one.do for one in found if one.severity is not Severity.OK)


@pytest.mark.parametrize(
    "rules",
    [
        {"access_login": "required"},
        {"client_certificates": "required"},
        {"access_allow": ("10.0.0.0/8",)},
    ],
)
def test_rules_keep_strangers_out(config: Config, rules: dict[str, Any]) -> None:
    """A login that is only optional does not."""
    public = evolve(config, http=(), https=(ListenAddress("8.8.8.8", 443),))

    found = exposure_findings(evolve(public, **rules), lambda: None)
    optional = exposure_findings(evolve(public, access_login="optional"), lambda: None)

    assert worst(found) is Severity.OK
    assert worst(optional) is Severity.WARN


def test_own_address() -> None:
    """An address, or none on a machine without a network."""
    assert own_address() is None or own_address()
