"""The least that a verified blob over TLS costs: that it reads all of it, and nothing else."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from bench.certificate import Certificate
from bench.decrypting import READ, main, read_and_hash
from tests.bench.secure_server import answering_securely

BODY = bytes(range(256)) * 14
DIGEST = hashlib.sha256(BODY).hexdigest()
OK = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 3584\r\nAge: 1\r\n\r\n"
PATH = f"/v2/a/blobs/sha256:{DIGEST}"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's and the server's, connected."""
    client, server = socket.socketpair()
    client.settimeout(5)
    with client, server:
        yield client, server


Ends = tuple[socket.socket, socket.socket]


def buffer_of(size: int) -> memoryview:
    return memoryview(bytearray(size))


@pytest.mark.parametrize("size", [1, 256, 1000, 3584, 4096])
def test_all_is_hashed(ends: Ends, size: int) -> None:
    """Whether the buffer's size divides the body's or is more."""
    client, server = ends
    server.sendall(OK + BODY)
    assert read_and_hash(client, "hub.test:5000", PATH, buffer_of(size)) == DIGEST
    request = b"GET %b HTTP/1.1\r\nHost: hub.test:5000\r\n\r\n" % PATH.encode()
    assert server.recv(1000) == request


def test_one_after_the_other(ends: Ends) -> None:
    """No byte behind a body is taken of the connection; what is in the buffer is forgotten."""
    client, server = ends
    server.sendall(OK + BODY + OK.replace(b"3584", b"5") + b"small" + OK.replace(b"3584", b"0"))
    buffer = buffer_of(1000)
    bodies = (BODY, b"small", b"")
    digests = [read_and_hash(client, "hub.test", PATH, buffer) for _ in bodies]
    assert digests == [hashlib.sha256(body).hexdigest() for body in bodies]


def test_a_body_that_trickles_in(ends: Ends) -> None:
    """What comes in pieces is hashed as a whole."""
    client, server = ends

    def trickle() -> None:
        server.recv(1000)
        server.sendall(OK)
        for start in range(0, len(BODY), 100):
            server.sendall(BODY[start : start + 100])

    thread = Thread(target=trickle)
    thread.start()
    assert read_and_hash(client, "hub.test", PATH, buffer_of(READ)) == DIGEST
    thread.join()


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        (OK + BODY[:-84], "84 bytes are missing"),
        (OK, "3584 bytes are missing"),
        (OK.replace(b"200 OK", b"502 No") + BODY, "not a 200 with a length"),
        (OK.replace(b"Content-Length", b"X-Length") + BODY, "not a 200 with a length"),
        (OK.replace(b"Age: 1", b"content-length: 1") + BODY, "not a 200 with a length"),
        (OK[:-2], "no answer"),
        (b"", "no answer"),
    ],
)
def test_a_wrong_answer_is_never_timed(ends: Ends, response: bytes, complaint: str) -> None:
    """A peer that fails fast must not look fast."""
    client, server = ends
    server.sendall(response)
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(RuntimeError, match=complaint):
        read_and_hash(client, "hub.test", PATH, buffer_of(1000))


def test_a_head_has_an_end(ends: Ends) -> None:
    """One without an end is given up while the connection still stands."""
    client, server = ends
    server.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 15))
    with pytest.raises(RuntimeError, match="no answer"):
        read_and_hash(client, "hub.test", PATH, buffer_of(1000))


def place_of(url: str) -> str:
    return url.removeprefix("https://").partition("/")[0]


def test_cipher_and_time_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both are what the other's measurement is compared by."""
    with answering_securely(tmp_path, OK + BODY) as url:
        main([str(tmp_path / "chain.pem"), place_of(url), PATH])
    cipher, seconds = capsys.readouterr().out.split()
    assert cipher in {one["name"] for one in ssl.create_default_context().get_ciphers()}
    assert float(seconds) >= 0


def test_a_wrong_digest_is_never_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is hashed has to be what was asked for."""
    with (
        answering_securely(tmp_path, OK + BODY[::-1]) as url,
        pytest.raises(RuntimeError, match="the digest is wrong"),
    ):
        main([str(tmp_path / "chain.pem"), place_of(url), PATH])
    assert capsys.readouterr().out == ""


def test_the_server_is_verified(tmp_path: Path) -> None:
    """As the other does it."""
    (tmp_path / "other").mkdir()
    other = Certificate.make(tmp_path / "other")
    with answering_securely(tmp_path, OK + BODY) as url, pytest.raises(ssl.SSLError):
        main([str(other.chain), place_of(url), PATH])
