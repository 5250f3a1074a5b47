"""``hubmirror doctor`` before and after something breaks: it names that, and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from hubmirror.cli.setup import main as setup_main
from hubmirror.demo.image import hello_image
from tests.integration.live_hub import LiveHub, live_hub
from tests.support.certificates import Authority
from tests.support.mirror import MirrorStarter
from tests.support.programs import run

pytestmark = pytest.mark.integration

IMAGE = ("--image", "library/busybox:1.0")
#: Where the mirror would be, and the clients of this machine.
URL = "http://127.0.0.1:5999"
CLIENTS = ("docker", "containerd", "podman")


def set_up(client: str, root: Path, *options: str) -> int:
    """What ``hubmirror setup`` does, without another process; its exit status."""
    return setup_main([client, "--root", str(root), "--apply", *options])


@frozen
class Doctor:
    """The command for a mirror of ``hub`` whose files are in ``folder``.

    ``folder`` is the machine's root, too, as far as clients' files go.
    """

    hub: LiveHub
    folder: Path

    @property
    def configuration(self) -> Path:
        """The mirror's file."""
        return self.folder / "hubmirror.toml"

    def configure(self, **values: str) -> None:
        """Write it."""
        lines = {"upstream": self.hub.url, "http": "127.0.0.1:0", "library_prefix": "true"} | values
        self.configuration.write_text("".join(f'{key} = "{of}"\n' for key, of in lines.items()))

    def __call__(self, *options: str | Path, wrapper: tuple[str | Path, ...] = ()) -> set[str]:
        """What is not all right, as ``severity check``; all that is known of it is told."""
        return {f"{one['severity']} {one['check']}" for one in self.told(*options, wrapper=wrapper)}

    def told(
        self, *options: str | Path, wrapper: tuple[str | Path, ...] = ()
    ) -> list[dict[str, Any]]:
        """The findings that are not all right; the exit status is that of the worst."""
        command = (*wrapper, sys.executable, "-m", "hubmirror", "doctor", "--json", *IMAGE)
        where = ("--config", self.configuration, "--data", self.folder / "data")
        root = ("--root", self.folder)
        # The exit status is in the last line.
        script = '"$@"; echo "status $?"'
        printed = run("sh", "-c", script, "sh", *command, *where, *root, *options)
        *_, line, status = printed.splitlines()
        found = [one for one in json.loads(line)["findings"] if one["severity"] != "ok"]
        severities = {one["severity"] for one in found}
        expected = 2 if "fail" in severities else 1 if severities else 0
        assert status == f"status {expected}", printed
        assert "Traceback" not in printed
        return found


@pytest.fixture(scope="module")
def hub() -> Iterator[LiveHub]:
    """A Hub with one image."""
    with live_hub() as hub:
        hub.store.add_image("library/busybox", "1.0", hello_image())
        yield hub


@pytest.fixture(scope="module")
def right(hub: LiveHub, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where all is right, the three clients of this machine included."""
    doctor = Doctor(hub, tmp_path_factory.mktemp("right"))
    doctor.configure(public_url=URL)
    for client in CLIENTS:
        assert set_up(client, doctor.folder, "--host", URL) == 0
    assert doctor() == set()
    return doctor.folder


@pytest.fixture
def doctor(hub: LiveHub, right: Path, tmp_path: Path) -> Doctor:
    """The doctor of a copy of it."""
    shutil.copytree(right, tmp_path / "right")
    return Doctor(hub, tmp_path / "right")


def test_the_upstream_is_down(doctor: Doctor) -> None:
    """A port that nobody listens on."""
    doctor.configure(public_url=URL, upstream="http://127.0.0.1:1")

    assert doctor() == {"fail reach"}


def test_the_clock_is_wrong(doctor: Doctor) -> None:
    """By an hour, which the upstream's own shows."""
    environment = run("faketime", "-m", "-f", "+0", "env")
    library = re.search(r"^LD_PRELOAD=(.+)$", environment, re.MULTILINE)
    assert library is not None

    fake = ("env", f"LD_PRELOAD={library[1]}", "FAKETIME=-1h")

    assert doctor(wrapper=fake) == {"fail time"}


def test_the_disk_can_not_be_written(doctor: Doctor) -> None:
    """A place where nobody makes a file, root neither."""
    assert doctor("--data", "/proc/self") >= {"fail disk"}


def test_the_disk_is_full(doctor: Doctor) -> None:
    """Less is free than shall stay free."""
    doctor.configure(public_url=URL, min_free="1000000GiB")

    assert doctor() == {"fail disk"}


def test_the_certificate_has_expired(doctor: Doctor, authority: Authority) -> None:
    """One that is good is warned of, too: this machine does not trust its authority."""
    long_ago = datetime(2020, 1, 1, tzinfo=timezone.utc)
    for now, severity in ((None, "warn"), (long_ago, "fail")):
        certificate = authority.issue("doctor", now=now)
        files = {"certificate": certificate, "private_key": certificate.with_suffix(".key")}
        doctor.configure(
            public_url=URL, https="127.0.0.1:0", **{k: str(v) for k, v in files.items()}
        )

        assert f"{severity} certificate" in doctor()


def test_the_port_is_taken(doctor: Doctor) -> None:
    """By this process, which is named."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        doctor.configure(public_url=URL, http=taken)

        (found,) = doctor.told()

    assert (found["severity"], found["check"]) == ("fail", "port")
    assert f"process {os.getpid()}" in found["what"]


def test_docker_is_not_set_up(doctor: Doctor) -> None:
    """The command that it names mends it."""
    set_up("docker", doctor.folder, "--undo")

    (found,) = doctor.told()

    assert (found["severity"], found["check"]) == ("warn", "docker")
    assert found["do"].split()[:2] == ["hubmirror", "setup"]
    assert setup_main([*found["do"].split()[2:], "--root", str(doctor.folder), "--apply"]) == 0
    assert doctor() == set()


def test_from_a_client(doctor: Doctor, start: MirrorStarter) -> None:
    """Without the mirror's own CA it is not trusted, with it it is; then it is gone."""
    secure = ("--http", "off", "--https", "127.0.0.1:0")
    mirror = start("serve", *secure, *doctor.hub.upstream, scheme="https")
    ca = mirror.program.wait_for_line(r"its CA, (\S+\.pem)")[1]
    where = ("--from-client", "--host", mirror.url)
    for client in CLIENTS:
        set_up(client, doctor.folder, *where[1:])

    assert doctor(*where) == {"fail reach", "fail certificate"}
    set_up("docker", doctor.folder, *where[1:], "--ca", ca)
    assert doctor(*where) == set()  # it has found whom docker trusts
    mirror.program.stop()
    assert doctor(*where) == {"fail reach"}
