"""The mirror gets its certificate by itself, from pebble, and real clients pull over it."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from cryptography import x509

from hubmirror.demo.image import hello_image
from tests.support.certificates import Authority
from tests.support.hub import Hub
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.pebble import EAB_KEY, EAB_KID, Pebble, running_pebble
from tests.support.programs import run
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

#: Clients find the mirror under it without a name server; pebble certifies anything.
NAME = "localhost"
NAMES = ("--acme", NAME, "--acme", "hub.example.net")


class Load:
    """Clients that ask for a manifest that is kept, each request on a connection of its own."""

    def __init__(self, mirror: Mirror, pebble: Pebble, count: int = 2) -> None:
        self.serials: set[int] = set()
        self.answers = 0
        self.failures: list[str] = []
        self._port = mirror.port
        self._context = ssl.create_default_context(cafile=str(pebble.root))
        self._ended = Event()
        self._fields = bearer(mirror, pebble)
        self._threads = [Thread(target=self._run) for _ in range(count)]
        self.kept = http.client.HTTPSConnection(NAME, self._port, context=self._context)
        self.ask(self.kept)
        for thread in self._threads:
            thread.start()

    def ask(self, connection: http.client.HTTPSConnection) -> None:
        """One request, which must be answered."""
        connection.request("GET", "/v2/library/busybox/manifests/1.0", headers=self._fields)
        response = connection.getresponse()
        response.read()
        assert response.status == 200, response.status

    def end(self) -> None:
        """No more."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self.kept.close()

    def _run(self) -> None:
        while not self._ended.wait(0.1):
            connection = http.client.HTTPSConnection(
                NAME, self._port, context=self._context, timeout=30
            )
            try:
                connection.connect()
                self.serials.add(serial_of(connection))
                self.ask(connection)
                self.answers += 1
            except (OSError, AssertionError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            finally:
                connection.close()


def bearer(mirror: Mirror, pebble: Pebble) -> dict[str, str]:
    """What opens ``library/busybox``; asked over plain HTTP, by the machine itself."""
    plain = Mirror(mirror.program, f"http://127.0.0.1:{pebble.http_port}")
    return plain.bearer("library/busybox")


def serial_of(connection: http.client.HTTPSConnection) -> int:
    """Of the certificate that the mirror has shown."""
    shown = connection.sock.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


def serial(mirror: Mirror, pebble: Pebble) -> int:
    """The same of a new connection, which trusts pebble alone."""
    context = ssl.create_default_context(cafile=str(pebble.root))
    connection = http.client.HTTPSConnection(NAME, mirror.port, context=context, timeout=30)
    try:
        connection.connect()
        return serial_of(connection)
    finally:
        connection.close()


@pytest.fixture
def pulled(tmp_path: Path) -> Iterator[Path]:
    """Where a pulled image goes: it must have come whole."""
    folder = tmp_path / "pulled"
    yield folder
    kept = {path.name for path in (folder / "blobs" / "sha256").iterdir()}
    assert {blob.digest.encoded for blob in hello_image().blobs} <= kept


def test_renews_under_load_and_no_request_fails(
    tmp_path: Path, authority: Authority, hub: Hub, start: MirrorStarter, pulled: Path
) -> None:
    """From the first start on: skopeo pulls, curl asks, many ask while another one comes."""
    with running_pebble(tmp_path / "pebble", authority, life=30) as pebble:
        mirror = start("twistd", *pebble.options, *NAMES, *hub.upstream, scheme="https")
        mirror.program.wait_for_line("example.net has been issued", seconds=90)
        first = serial(mirror, pebble)
        trust = tmp_path / "trust"
        trust.mkdir()
        (trust / "ca.crt").write_bytes(pebble.root.read_bytes())
        source = f"docker://{NAME}:{mirror.port}/library/busybox:1.0"
        run("skopeo", "copy", "--all", "--src-cert-dir", trust, source, f"oci:{pulled}:1.0")
        load = Load(mirror, pebble)
        try:
            mirror.program.wait_for_line(r"has been renewed", seconds=90)
            answers = load.answers
            wait_until(lambda: load.failures or load.answers > answers + 20, "more answers")
            load.ask(load.kept)
        finally:
            load.end()
        assert load.failures == []
        assert first in load.serials
        assert len(load.serials) >= 2
        where = ("--resolve", f"hub.example.net:{mirror.port}:127.0.0.1", "--cacert", pebble.root)
        printed = run("curl", "-sS", *where, f"https://hub.example.net:{mirror.port}/healthz")
        assert "ok" in printed
    assert "Traceback" not in mirror.program.text()


def test_workers_serve_it_and_another_for_more_names(
    tmp_path: Path, authority: Authority, hub: Hub, start: MirrorStarter
) -> None:
    """The server comes by a worker, and wants to know whose account it is: it is told once.

    For another name it comes by TLS alone, and the old certificate is served meanwhile.
    """
    key = tmp_path / "key"
    key.write_text(EAB_KEY)
    key.chmod(0o600)
    binding = ("--acme-eab-kid", EAB_KID, "--acme-eab-key-file", key)
    with running_pebble(tmp_path / "pebble", authority, wants_binding=True) as pebble:
        options = (*pebble.options, *NAMES, *binding, *hub.upstream)
        mirror = start("serve", *options, "--workers", "2", scheme="https")
        mirror.program.wait_for_line("has been issued", seconds=90)
        first = wait_until(
            lambda: serial_if_trusted(mirror, pebble), "it in the workers", seconds=60
        )
        mirror.program.stop()
        secure = ("--http", "off", "--acme", "new.example.net", "--workers", "2")
        mirror = start("serve", *without_http(options), *secure, scheme="https")
        assert serial(mirror, pebble) == first
        mirror.program.wait_for_line("new.example.net has been renewed", seconds=90)
        wait_until(lambda: serial_if_trusted(mirror, pebble) not in (0, first), "it", seconds=60)
        asked = pebble.program.text()
        assert asked.count("Issued certificate serial") == 2
        assert "There are now 2 accounts" not in asked
        files = list((tmp_path / "mirror" / "data" / "acme").rglob("*"))
        assert len(files) == 4
        assert {path.stat().st_mode & 0o777 for path in files} == {0o700, 0o600}
    assert "Traceback" not in mirror.program.text()


def without_http(options: tuple[str | Path, ...]) -> list[str | Path]:
    """These, but for where they listen for plain HTTP."""
    at = options.index("--http")
    return [*options[:at], *options[at + 2 :]]


def serial_if_trusted(mirror: Mirror, pebble: Pebble) -> int:
    """0 where some of eight connections are shown another certificate."""
    try:
        found = {serial(mirror, pebble) for _ in range(8)}
    except ssl.SSLCertVerificationError:
        return 0
    return found.pop() if len(found) == 1 else 0
