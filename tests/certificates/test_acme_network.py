"""How an ACME server is reached."""

from __future__ import annotations

import select
import socket
from email.utils import formatdate
from pathlib import Path
from threading import Thread
from time import time

import pytest
from josepy.jwk import JWKEC
from requests import Response

from hubmirror.certificates.acme_network import Network
from hubmirror.certificates.files import CertificateError
from tests.certificates.acme_server import AcmeServerForTests
from tests.certificates.making import ec_key


def network(ca: Path | None = None, proxy: str | None = None) -> Network:
    """One for an account that nobody knows."""
    return Network(JWKEC(key=ec_key()), ca, proxy, "test")


def test_notes_when_to_come_again() -> None:
    """What the library's exceptions lack: seconds, or a date, which may be over."""
    one = network()
    one._note(_response(429, "120"))
    assert one.retry_after == 120
    for seconds, most in ((600, 600), (-600, 0)):
        one._note(_response(503, formatdate(time() + seconds, usegmt=True)))
        assert one.retry_after is not None
        assert max(0, seconds - 60) <= one.retry_after <= most


@pytest.mark.parametrize(("status", "told"), [(200, "120"), (429, "soon"), (429, None)])
def test_notes_nothing_that_is_not_said(status: int, told: str | None) -> None:
    """A pause between two looks is none of it; the last answer counts."""
    one = network()
    one._note(_response(429, "7"))
    one._note(_response(status, told))
    assert one.retry_after is None


def test_goes_by_the_proxy_that_is_set_and_by_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says is the configuration's to read."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    merged = network().session.merge_environment_settings("https://a", {}, None, None, None)
    assert dict(merged["proxies"]) == {}
    session = network(proxy="http://u:p@127.0.0.1:2").session
    merged = session.merge_environment_settings("https://a", {}, None, None, None)
    assert merged["proxies"]["https"] == "http://u:p@127.0.0.1:2"


def test_tls_goes_through_the_proxy_end_to_end(tmp_path: Path) -> None:
    """It sees which host is meant, and the login that is its own, and no more."""
    server, proxy = AcmeServerForTests(tmp_path), Proxy()
    try:
        one = network(server.ca.certificate, f"http://user:p%40ss@127.0.0.1:{proxy.port}")
        assert "newOrder" in one.get(server.directory).json()
        one.session.close()
    finally:
        proxy.close()
        server.close()
    host = server.url.removeprefix("https://")
    assert proxy.head.startswith(f"CONNECT {host} HTTP/1.".encode())
    assert b"\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n" in proxy.head


class Proxy:
    """An HTTP proxy for one connection: ``head`` is what it was asked."""

    def __init__(self) -> None:
        self.head = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._thread = Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Once its connection is over."""
        self._thread.join(20)
        self._listening.close()

    def _serve(self) -> None:
        self._listening.settimeout(10)
        client, _ = self._listening.accept()
        client.settimeout(10)
        while b"\r\n\r\n" not in self.head:
            self.head += client.recv(1000)
        host, _, port = self.head.split(b" ")[1].decode().partition(":")
        with client, socket.create_connection((host, int(port)), 10) as there:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            others = {client: there, there: client}
            while True:
                ready, _, _ = select.select(list(others), [], [], 10)
                data = [(others[one], one.recv(65536)) for one in ready]
                for other, came in data:
                    other.sendall(came)
                if not data or not all(came for _, came in data):
                    return


def test_a_file_of_cas_that_can_not_be_used(tmp_path: Path) -> None:
    """It was right at the start, and is not any more."""
    with pytest.raises(CertificateError, match="can't be trusted"):
        network(tmp_path / "missing")


def _response(status: int, told: str | None) -> Response:
    response = Response()
    response.status_code = status
    if told is not None:
        response.headers["Retry-After"] = told
    return response
