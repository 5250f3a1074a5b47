"""A certificate that depends on what the client says first."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from OpenSSL import SSL

from hubmirror.certificates.client_hello import ClientHello
from hubmirror.certificates.context import server_context
from hubmirror.certificates.files import load_pair
from hubmirror.certificates.peeking import PeekingConnection
from tests.certificates.making import Made, make, write_pair
from tests.certificates.test_client_hello import said

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class Scene:
    """Two ends of one TCP connection, and two certificates for the server's."""

    def __init__(self, folder: Path) -> None:
        self.usual, self.special = make("usual.example"), make("special.example")
        self._contexts = [self._context(folder / made, getattr(self, made)) for made in NAMES]
        self.heard: list[ClientHello] = []
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.client = socket.create_connection(listening.getsockname())
            self.server, _ = listening.accept()
        self.server.setblocking(False)
        self.tls = PeekingConnection(self._contexts[0], self.server, self._choose)
        self.tls.set_accept_state()

    def _context(self, folder: Path, made: Made) -> SSL.Context:
        folder.mkdir()
        return server_context(load_pair(*write_pair(folder, made)))

    def _choose(self, hello: ClientHello) -> SSL.Context | None:
        self.heard.append(hello)
        return self._contexts[1] if hello.server_name == "special.example" else None

    def is_readable(self) -> bool:
        """Whether a reactor would be told that the server has something to read."""
        poll = select.poll()
        poll.register(self.server, select.POLLIN)
        return bool(poll.poll(50))

    def step(self) -> None:
        """What the transport does then: it goes on when there is more."""
        with pytest.raises(SSL.WantReadError):
            self.tls.do_handshake()

    def shake_hands(self, name: str, version: ssl.TLSVersion) -> bytes | None:
        """A whole handshake with OpenSSL's client; the certificate that it was shown."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = version
        shown: list[bytes | None] = []

        def connect() -> None:
            with suppress(OSError), context.wrap_socket(self.client, server_hostname=name) as tls:
                shown.append(tls.getpeercert(binary_form=True))

        thread = Thread(target=connect)
        thread.start()
        self._serve()
        thread.join(10)
        return shown[0] if shown else None

    def _serve(self) -> None:
        for _ in range(10):
            assert self.is_readable()
            try:
                self.tls.do_handshake()
            except SSL.WantReadError:
                continue
            return


NAMES = ("usual", "special")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Both ends are closed."""
    made = Scene(tmp_path)
    yield made
    made.client.close()
    made.server.close()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_the_certificate_is_chosen_before_the_handshake(
    scene: Scene, name: str, version: ssl.TLSVersion
) -> None:
    """By the client's first words, in each version."""
    made: Made = getattr(scene, name)
    shown = scene.shake_hands(f"{name}.example", version)
    assert shown is not None
    assert ssl.DER_cert_to_PEM_cert(shown).strip() == made.pem.decode().strip()
    assert [hello.server_name for hello in scene.heard] == [f"{name}.example"]
    assert scene.server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1


def test_bytes_that_drip_in_do_not_keep_it_busy(scene: Scene) -> None:
    """It waits for the header, for the record, and no more often, however they come."""
    record = said("special.example", [], ssl.TLSVersion.TLSv1_3)
    scene.step()
    scene.client.sendall(record[:1])
    assert scene.is_readable()
    scene.step()
    for at in range(1, 4):
        scene.client.sendall(record[at : at + 1])
        assert not scene.is_readable()
    scene.client.sendall(record[4:100])
    assert scene.is_readable()
    scene.step()
    scene.client.sendall(record[100:-1])
    assert not scene.is_readable()
    assert scene.heard == []
    scene.client.sendall(record[-1:])
    assert scene.is_readable()
    scene.step()
    assert [hello.server_name for hello in scene.heard] == ["special.example"]
    assert scene.client.recv(1) == b"\x16"  # the server's answer


@pytest.mark.parametrize("data", [b"", b"\x16", b"\x16\x03\x01\x10\x00half"])
def test_a_client_that_leaves_is_openssls(scene: Scene, data: bytes) -> None:
    """It sees the end."""
    scene.client.sendall(data)
    scene.client.shutdown(socket.SHUT_WR)
    for _ in range(4):
        assert scene.is_readable()
        try:
            scene.tls.do_handshake()
        except SSL.WantReadError:
            continue
        except SSL.Error:
            break
    else:
        raise AssertionError("it went on asking")
    assert scene.heard == []


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00"]
)
def test_what_is_none_is_openssls_to_refuse(scene: Scene, data: bytes) -> None:
    """Nobody is asked about it."""
    scene.client.sendall(data)
    assert scene.is_readable()
    with pytest.raises(SSL.Error):
        scene.tls.do_handshake()
    assert scene.heard == []
