"""The daemon's life: start, reload, drain, end; the same by ``twistd`` and ``hubmirror serve``."""

from __future__ import annotations

import json
import signal
import socket
import ssl
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.mirror import COMMANDS, Mirror, MirrorStarter
from tests.support.programs import run
from tests.support.upstream import DIGEST, HALF, halting_registry
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

BLOB = f"/v2/library/x/blobs/{DIGEST}"
#: An upstream that nobody is at: the discard port.
NOBODY = ("--upstream", "http://127.0.0.1:9")
HTTP = ("--http", "127.0.0.1:0")

both_commands = pytest.mark.parametrize("command", list(COMMANDS))


def refuses(mirror: Mirror) -> bool:
    """Whether the mirror accepts no connection."""
    try:
        socket.create_connection(("127.0.0.1", mirror.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


@both_commands
def test_sigterm_lets_transfers_finish(start: MirrorStarter, command: str) -> None:
    """SIGTERM closes the door, a running transfer comes to its end, and the status is 0."""
    with halting_registry() as upstream:
        mirror = start(command, *HTTP, "--upstream", upstream.url)
        connection = mirror.connect()
        connection.request("GET", BLOB)
        response = connection.getresponse()
        assert response.read(len(HALF)) == HALF

        mirror.program.signal(signal.SIGTERM)
        wait_until(lambda: refuses(mirror), "the port closes", context=mirror.program.text)
        upstream.finish.set()

        assert response.read() == HALF
        assert mirror.program.wait() == 0


@both_commands
def test_ctrl_c_ends_it_well(start: MirrorStarter, command: str) -> None:
    """SIGINT is an end like SIGTERM: the status is 0."""
    mirror = start(command, *HTTP, *NOBODY)
    mirror.program.signal(signal.SIGINT)
    assert mirror.program.wait() == 0


@both_commands
def test_sigterm_grace_ends(start: MirrorStarter, command: str) -> None:
    """A transfer that does not end within ``shutdown_grace`` is cut; the status is still 0."""
    with halting_registry() as upstream:
        grace = ("--shutdown-grace", "500ms")
        mirror = start(command, *HTTP, *grace, "--upstream", upstream.url)
        connection = mirror.connect()
        connection.request("GET", BLOB)
        connection.getresponse().read(16)

        mirror.program.signal(signal.SIGTERM)

        assert mirror.program.wait(seconds=10) == 0


@both_commands
def test_idle_end(start: MirrorStarter, command: str) -> None:
    """Without a transfer the daemon ends at once, with 0, whoever keeps a connection open."""
    mirror = start(command, *HTTP, *NOBODY)
    connection = mirror.connect()
    connection.request("GET", "/quota")
    connection.getresponse().read()

    mirror.program.signal(signal.SIGTERM)

    assert mirror.program.wait(seconds=5) == 0


@both_commands
def test_bad_configuration(tmp_path: Path, command: str) -> None:
    """Every error of the configuration is named at once, unknown keys with the nearest known."""
    (tmp_path / "bad.toml").write_text('quotta = 7\nlog_level = "loud"\n')
    data = ("--data", tmp_path / "data")

    printed = run(
        *COMMANDS[command], *data, "--config", tmp_path / "bad.toml", "--quota", "many", status=2
    )

    assert "quotta" in printed
    assert "log_level" in printed
    assert "many" in printed
    assert "Traceback" not in printed


@both_commands
def test_unknown_flag(command: str) -> None:
    """A flag that does not exist is an error of the configuration, too."""
    printed = run(*COMMANDS[command], "--quotta", "7", status=2)

    assert "quotta" in printed
    assert "Traceback" not in printed


def test_greeting(start: MirrorStarter) -> None:
    """Ten lines at most say where it listens, what docker needs, and that the upstream is gone."""
    mirror = start("serve", *HTTP, *NOBODY)

    mirror.program.wait_for_line("make demo")

    printed = mirror.program.text()
    assert len(printed.splitlines()) <= 10
    assert f'{{"registry-mirrors": ["{mirror.url}"]}}' in printed


@both_commands
def test_count_survives_kill(start: MirrorStarter, command: str) -> None:
    """After ``kill -9`` the count goes on where it was."""
    with halting_registry() as upstream:
        mirror = start(command, *HTTP, "--upstream", upstream.url)
        for _ in range(5):
            assert mirror.ask("/v2/").status == 200
        assert used(mirror) == 5

        mirror.program.signal(signal.SIGKILL)
        mirror.program.wait()

        assert used(start(command, *HTTP, "--upstream", upstream.url)) == 5


def test_quota_spent(start: MirrorStarter) -> None:
    """Beyond ``--quota`` a request is 429 in the registry's words, with the wait until midnight."""
    with halting_registry() as upstream:
        mirror = start("serve", *HTTP, "--upstream", upstream.url, "--quota", "2")
        assert [mirror.ask("/v2/").status for _ in range(2)] == [200, 200]

        refused = mirror.ask("/v2/")

    assert refused.status == 429
    assert json.loads(refused.body)["errors"][0]["code"] == "TOOMANYREQUESTS"
    assert 0 < int(refused.headers["Retry-After"]) <= 86400


def used(mirror: Mirror) -> int:
    """How many requests of today the mirror has counted."""
    found: int = json.loads(mirror.ask("/quota").body)["used"]
    return found


def serial(mirror: Mirror) -> str:
    """The certificate that the mirror shows, as PEM; verified by its CA."""
    return ssl.get_server_certificate(("127.0.0.1", mirror.port), ca_certs=str(mirror.ca))


@both_commands
def test_sighup_reloads_the_certificate(
    start: MirrorStarter, authority: Authority, command: str
) -> None:
    """SIGHUP takes a new certificate; with a bad one the old stays, and the log says why."""
    certificate = authority.issue("renewed")
    pair = ("--certificate", certificate, "--private-key", certificate.with_suffix(".key"))
    listen = ("--http", "off", "--https", "127.0.0.1:0")
    mirror = start(command, *listen, *pair, *NOBODY, scheme="https", ca=authority.certificate)
    first = serial(mirror)

    authority.issue("renewed")
    mirror.program.signal(signal.SIGHUP)
    wait_until(lambda: serial(mirror) != first, "the new certificate", context=mirror.program.text)

    second = serial(mirror)
    certificate.write_text("no certificate")
    mirror.program.signal(signal.SIGHUP)
    mirror.program.wait_for_line(f"error .*{certificate.name}")
    assert serial(mirror) == second


def test_sighup_reads_the_configuration_again(start: MirrorStarter, tmp_path: Path) -> None:
    """SIGHUP takes a new configuration; with a bad one the old stays, and the log says why."""
    file = tmp_path / "hubmirror.toml"
    file.write_text("quota = 10\n")
    mirror = start("serve", *HTTP, *NOBODY, "--config", file)

    def limit() -> int:
        found: int = json.loads(mirror.ask("/quota").body)["limit"]
        return found

    assert limit() == 10
    file.write_text("quota = 20\n")
    mirror.program.signal(signal.SIGHUP)
    wait_until(lambda: limit() == 20, "the new limit", context=mirror.program.text)

    file.write_text('quota = "many"\n')
    mirror.program.signal(signal.SIGHUP)
    mirror.program.wait_for_line("error .*many")
    assert limit() == 20


def test_local_authority(start: MirrorStarter, tmp_path: Path) -> None:
    """``--https`` alone makes a CA that it tells of, and a certificate that verifies under it."""
    mirror = start("serve", "--http", "off", "--https", "127.0.0.1:0", *NOBODY, scheme="https")
    found = mirror.program.wait_for_line(rf"{tmp_path}\S*\.(?:crt|pem)")

    printed = run("curl", "--silent", "--show-error", "--cacert", found[0], f"{mirror.url}/quota")

    assert json.loads(printed)["used"] == 0
    keys = [path for path in tmp_path.rglob("*") if "key" in path.name and path.is_file()]
    assert keys
    assert all(path.stat().st_mode & 0o77 == 0 for path in keys)
