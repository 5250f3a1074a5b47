"""The package on a machine with systemd: its unit as it is, with all that it forbids."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.packaging.clean_root import CleanRoot
from tests.support.programs import run

SCRIPT = Path(__file__).with_name("under_systemd.sh")
UNIT = """
[Service]
Type=exec
ExecStart=/bin/sh /root/under_systemd.sh
"""
ALONE = "serves http://127.0.0.1:5000"
WITH_SOCKETS = f"{ALONE}, https://[::]:443"
HEALTHY = '{"status": "ok"}'


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, deb: Path) -> Iterator[Mapping[str, str]]:
    """What came of each try of the script, by its name."""
    root = CleanRoot.made(tmp_path_factory.mktemp("machine") / "root")
    shutil.copy(deb, root.folder / "root/hubmirror.deb")
    shutil.copy(SCRIPT, root.folder / "root")
    root.run("apt-get", "update", "-qq")
    wanted = ("systemd", "systemd-sysv", "dbus", "curl", "/root/hubmirror.deb")
    root.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted)
    units = root.folder / "etc/systemd/system"
    (units / "try.service").write_text(UNIT)
    (units / "multi-user.target.wants/try.service").symlink_to("../try.service")
    machine = ("--boot", "--private-network", "--register=no", "--keep-unit", "--quiet")
    started = run("systemd-nspawn", "--directory", root.folder, *machine, seconds=180)
    lines = (root.folder / "root/told").read_text().splitlines()
    found = {name: what.strip() for name, _, what in (line.partition(": ") for line in lines)}
    assert "result" in found, (lines, started)
    yield found
    root.remove()


def test_it_runs_under_all_that_is_forbidden(told: Mapping[str, str]) -> None:
    """It has said that it serves, does so, and nothing has failed until its end."""
    assert told["started"] == ALONE
    assert told["plain"] == HEALTHY
    assert told["watchdog"] == "1min"
    assert (told["restarts"], told["errors"], told["result"]) == ("0", "", "success")


def test_it_is_reloaded(told: Mapping[str, str]) -> None:
    """Without a word, and it serves on."""
    assert (told["reload"], told["reloaded"]) == ("", ALONE)


def test_sockets_start_it_and_outlive_it(told: Mapping[str, str]) -> None:
    """The first who comes starts it, at a port below 1024; who comes while it restarts waits."""
    assert told["on-demand"] == HEALTHY
    assert told["sockets"] == WITH_SOCKETS
    assert told["waiting"] == HEALTHY


def test_workers_take_the_same_sockets(told: Mapping[str, str]) -> None:
    """Several processes at each."""
    assert told["workers"] == WITH_SOCKETS
    assert told["secure"] == HEALTHY


def test_a_secret_is_handed_over(told: Mapping[str, str]) -> None:
    """The daemon reads it, and so does an operator's command."""
    assert '"limit": 100000' in told["credential"]
    assert "/run/credentials/hubmirror.service/token" in told["check"]


def test_the_journal_has_levels(told: Mapping[str, str]) -> None:
    """And a message without the time and the level, which it has itself."""
    entry = json.loads(told["journal"].split("} {")[0].rstrip("} ") + "}")

    assert entry["PRIORITY"] == "6"
    assert entry["MESSAGE"].startswith("hubmirror.daemon.Daemon listening on ")
