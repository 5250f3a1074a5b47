"""Clients' files, looked at."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from hubmirror.clients.address import MirrorAddress
from hubmirror.clients.catalogue import CLIENTS
from hubmirror.clients.changes import Setup
from hubmirror.clients.machine import Machine
from hubmirror.doctor.clients import ClientFiles
from hubmirror.doctor.findings import Finding, Severity, worst

URL = "https://hub.example:5443"
DAEMON = "etc/docker/daemon.json"


def look(
    root: Path, *installed: str, urls: Collection[str] = (URL,), registry: str = "docker.io"
) -> list[Finding]:
    """What is found on a machine with these programs."""
    return ClientFiles(Machine(root), installed.__contains__, urls, [registry]).findings()


def put(root: Path, name: str, text: str) -> None:
    """A file on that machine."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


@pytest.mark.parametrize("registry", ["docker.io", "ghcr.io"])
@pytest.mark.parametrize("key", ["docker", "containerd", "podman", "k3s"])
def test_what_the_setup_writes_is_found(key: str, registry: str, tmp_path: Path) -> None:
    """Before it, there is a warning with the command."""
    if key == "docker" and registry != "docker.io":
        return
    (before,) = look(tmp_path, key, registry=registry)
    client, machine = CLIENTS[key], Machine(tmp_path)
    setup = Setup(machine, client.place.parent / "record.json")

    setup.apply(setup.plan(client.files(MirrorAddress(URL, (registry,)), client.place, setup.look)))

    assert before.severity is Severity.WARN
    assert before.do == f"hubmirror setup {key} --host {URL}"
    assert [one.severity for one in look(tmp_path, key, registry=registry)] == [Severity.OK]
    others = look(tmp_path, key, urls=["https://other.example"], registry=registry)
    assert worst(others) is Severity.WARN


def test_what_is_not_installed_is_not_looked_for(tmp_path: Path) -> None:
    """Whatever its files say."""
    put(tmp_path, DAEMON, "{")

    assert [one.severity for one in look(tmp_path)] == [Severity.OK]
    assert [one.severity for one in look(tmp_path, "dockerd")] == [Severity.FAIL]


@pytest.mark.parametrize("text", ["{", '{"registry-mirrors": "x"}'])
def test_a_file_that_docker_does_not_take(text: str, tmp_path: Path) -> None:
    """It would not start with it."""
    put(tmp_path, DAEMON, text)

    (found,) = look(tmp_path, "docker")
    assert found.severity is Severity.FAIL


@pytest.mark.parametrize(
    ("url", "more", "severity"),
    [
        ("http://10.0.0.1:5000", "", Severity.FAIL),
        ("http://10.0.0.1:5000", ', "insecure-registries": ["10.0.0.1:5000"]', Severity.OK),
        ("http://127.0.0.1:5000", "", Severity.OK),
        (URL, ', "proxies": {"https-proxy": "http://p:1"}', Severity.WARN),
        (URL, ', "proxies": {"http-proxy": "http://p:1"}', Severity.OK),
        (URL, ', "proxies": {"https-proxy": "p", "no-proxy": ".example"}', Severity.OK),
        (URL, ', "proxies": null', Severity.OK),
    ],
)
def test_what_keeps_docker_from_it(url: str, more: str, severity: Severity, tmp_path: Path) -> None:
    """No TLS where docker wants it; a proxy on the way."""
    put(tmp_path, DAEMON, f'{{"registry-mirrors": ["{url}/"]{more}}}')

    assert worst(look(tmp_path, "docker", urls=[url])) is severity


def test_kubernetes_does_not_find_the_way(tmp_path: Path) -> None:
    """Though containerd itself would."""
    put(tmp_path, "etc/containerd/certs.d/docker.io/hosts.toml", f'[host."{URL}"]\n')

    (found,) = look(tmp_path, "containerd")

    assert found.severity is Severity.WARN
    assert "Kubernetes" in found.what


def test_a_later_drop_in_counts(tmp_path: Path) -> None:
    """It takes the place of what an earlier one says."""
    table = '[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "{}"\n'
    put(tmp_path, "etc/containers/registries.conf.d/b.conf", table.format("hub.example:5443"))
    assert worst(look(tmp_path, "podman")) is Severity.OK

    put(tmp_path, "etc/containers/registries.conf.d/c.conf", table.format("other.example"))

    assert worst(look(tmp_path, "podman")) is Severity.WARN
