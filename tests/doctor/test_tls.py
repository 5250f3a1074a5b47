"""A certificate as clients see it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Thread

import pytest

from hubmirror.doctor.findings import Severity
from hubmirror.doctor.tls import shown_certificate
from tests.support.certificates import Authority

NOW = datetime.now(timezone.utc)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who has issued the server's certificate."""
    return Authority(tmp_path)


@pytest.fixture
def port(authority: Authority) -> Iterator[int]:
    """The port of a server that shakes hands once, with a certificate for ``127.0.0.1``."""
    certificate = authority.issue("mirror", ("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            try:
                with server.accept()[0] as accepted:
                    context.wrap_socket(accepted, server_side=True).close()
            except OSError:  # who does not trust it leaves
                pass

        thread = Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_it_is_trusted(authority: Authority, port: int) -> None:
    """By the CA that is given."""
    url = f"https://127.0.0.1:{port}"

    (found,) = shown_certificate(url, authority.certificate, NOW, 5)

    assert found.severity is Severity.OK


def test_it_ends_soon(authority: Authority, port: int) -> None:
    """It is trusted as yet."""
    later = NOW + timedelta(days=3650)

    (found,) = shown_certificate(f"https://127.0.0.1:{port}", authority.certificate, later, 5)

    assert found.severity is Severity.WARN


def test_it_is_not_trusted(port: int) -> None:
    """Without the CA; what to do is told."""
    (found,) = shown_certificate(f"https://127.0.0.1:{port}", None, NOW, 5)

    assert found.severity is Severity.FAIL
    assert "--ca FILE" in found.do


def test_there_is_none(tmp_path: Path) -> None:
    """No TLS, or nobody there: that is another check's."""
    assert shown_certificate("http://127.0.0.1:1", None, NOW, 5)[0].severity is Severity.OK
    assert shown_certificate("https://127.0.0.1:1", None, NOW, 5) == []
    assert shown_certificate("https://127.0.0.1:1", tmp_path / "none", NOW, 5) == []
