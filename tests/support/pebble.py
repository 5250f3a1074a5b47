"""Let's Encrypt's own small ACME server, with a name server that knows any name."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.support.certificates import Authority
from tests.support.ports import free_ports
from tests.support.programs import Program
from tests.support.waiting import wait_until

__all__ = ["EAB_KEY", "EAB_KID", "Pebble", "running_pebble"]

#: The account that a pebble knows where it wants one to be named.
EAB_KID = "kid-1"
EAB_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


@frozen
class Pebble:
    """A running pebble. It looks for proofs at ``http_port`` and ``tls_port`` of loopback,

    whatever the name. ``root`` is what clients trust who trust its certificates; ``options`` are
    those by which a mirror listens there and asks it.
    """

    program: Program
    directory: str
    ca: Path
    root: Path
    http_port: int
    tls_port: int

    @property
    def options(self) -> tuple[str | Path, ...]:
        """For a mirror."""
        listening = (
            "--http",
            f"127.0.0.1:{self.http_port}",
            "--https",
            f"127.0.0.1:{self.tls_port}",
        )
        return (*listening, "--acme-directory", self.directory, "--acme-ca", self.ca)


@contextmanager
def running_pebble(
    folder: Path, authority: Authority, life: int = 90 * 86400, *, wants_binding: bool = False
) -> Iterator[Pebble]:
    """Start one whose certificates live so many seconds; it ends with the context.

    As by default, it forgets some of its nonces, as a busy server may.
    """
    folder.mkdir()
    listening, managed, http_port, tls_port, dns, dns_managed = free_ports(6)
    certificate = authority.issue("pebble")
    settings = {
        "listenAddress": f"127.0.0.1:{listening}",
        "managementListenAddress": f"127.0.0.1:{managed}",
        "certificate": str(certificate),
        "privateKey": str(certificate.with_suffix(".key")),
        "httpPort": http_port,
        "tlsPort": tls_port,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": wants_binding,
        "externalAccountMACKeys": {EAB_KID: EAB_KEY},
        "certificateValidityPeriod": life,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    names = Program(
        [
            *("pebble-challtestsrv", "-dns01", f"127.0.0.1:{dns}"),
            *("-management", f"127.0.0.1:{dns_managed}", "-defaultIPv6", ""),
            *("-http01", "", "-https01", "", "-tlsalpn01", ""),
        ],
        folder / "names.log",
    )
    pebble = Program(
        ["pebble", "-config", folder / "pebble.json", "-dnsserver", f"127.0.0.1:{dns}"],
        folder / "pebble.log",
        env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"},
    )
    try:
        directory = pebble.wait_for_line(r"directory available at: (\S+)")[1]
        root = folder / "root.pem"
        root.write_bytes(_got(f"https://127.0.0.1:{managed}/roots/0", authority.certificate))
        _got(directory, authority.certificate)
        yield Pebble(pebble, directory, authority.certificate, root, http_port, tls_port)
    finally:
        pebble.stop()
        names.stop()


def _got(url: str, ca: Path) -> bytes:
    """What is at ``url``, once it can be asked: pebble says that it listens before it does."""
    context = ssl.create_default_context(cafile=str(ca))
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )

    def ask() -> bytes:
        try:
            with opener.open(url, timeout=30) as response:
                found: bytes = response.read()
                return found
        except urllib.error.URLError:
            return b""

    return wait_until(ask, f"an answer from {url}")
