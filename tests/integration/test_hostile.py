"""Clients that break the rules, byte by byte: the right 4xx, or a closed connection."""

from __future__ import annotations

import socket

import pytest

from tests.support.mirror import Mirror, MirrorStarter
from tests.support.waiting import wait_until

#: Plain HTTP is enough: beneath TLS the same bytes go the same way.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.parametrize("mirror", ["http"], indirect=True),
]

HOST = "Host: {authority}\r\n"
#: The connection was closed without an answer.
CLOSED = 0

BAD = {
    "a request line over 8 KiB": ("GET /" + 9000 * "a" + " HTTP/1.1\r\n" + HOST + "\r\n", {414}),
    "headers over 16 KiB": (
        "GET /v2/ HTTP/1.1\r\n" + HOST + 20 * ("X-Long: " + 1000 * "a" + "\r\n") + "\r\n",
        {431},
    ),
    "one header over 16 KiB": (
        "GET /v2/ HTTP/1.1\r\n" + HOST + "X-Long: " + 17000 * "a" + "\r\n\r\n",
        {431},
    ),
    "a body on a GET": (
        "GET /v2/ HTTP/1.1\r\n" + HOST + "Content-Length: 4\r\n\r\nbody",
        {400, 413},
    ),
    "Transfer-Encoding with Content-Length": (
        "POST /token HTTP/1.1\r\n"
        + HOST
        + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        {400},
    ),
    "two lengths": (
        "POST /token HTTP/1.1\r\n" + HOST + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        {400},
    ),
    "no Host": ("GET /v2/ HTTP/1.1\r\n\r\n", {400}),
    "two Hosts": ("GET /v2/ HTTP/1.1\r\n" + HOST + "Host: example.org\r\n\r\n", {400}),
    "a Host that is no host": ('GET /v2/ HTTP/1.1\r\nHost: a b"c\r\n\r\n', {400}),
    "a folded header": ("GET /v2/ HTTP/1.1\r\n" + HOST + "X-A: b\r\n c\r\n\r\n", {400}),
    "a space before the colon": ("GET /v2/ HTTP/1.1\r\n" + HOST + "X-A : b\r\n\r\n", {400}),
    "HTTP/0.9": ("GET /v2/\r\n\r\n", {400, CLOSED}),
    "HTTP/2 without TLS": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 505, CLOSED}),
    "dots that climb": (
        "GET /v2/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + HOST + "\r\n",
        {400, 404},
    ),
    "a NUL in the name": ("GET /v2/a%00b/manifests/1 HTTP/1.1\r\n" + HOST + "\r\n", {400, 404}),
    "a raw NUL": ("GET /v2/a\0b/manifests/1 HTTP/1.1\r\n" + HOST + "\r\n", {400, 404, CLOSED}),
    "CONNECT": ("CONNECT example.org:443 HTTP/1.1\r\n" + HOST + "\r\n", {400, 404, 405, 421}),
    "another authority": (
        "GET http://example.org/v2/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
        {421},
    ),
    "a push": ("PUT /v2/a/manifests/1 HTTP/1.1\r\n" + HOST + "Content-Length: 0\r\n\r\n", {405}),
    "a path outside the API": ("GET /etc/passwd HTTP/1.1\r\n" + HOST + "\r\n", {404}),
    "TLS on the plain port": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {CLOSED}),
    "binary noise": ("\x00\x01\x02\xff\xfe\r\n\r\n", {400, CLOSED}),
}


def exchange(mirror: Mirror, text: str) -> tuple[int, bytes]:
    """Send ``text`` as it is; returns the status (0: closed without one) and all that came."""
    with socket.create_connection(("127.0.0.1", mirror.port), timeout=10) as connection:
        connection.sendall(text.replace("{authority}", mirror.authority).encode("latin-1"))
        answer = b""
        try:
            while b"\r\n\r\n" not in answer and (data := connection.recv(65536)):
                answer += data
        except ConnectionResetError:
            pass
    return int(answer.split(None, 2)[1]) if answer else CLOSED, answer


@pytest.mark.parametrize("what", list(BAD))
def test_refused(mirror: Mirror, what: str) -> None:
    """A bad request gets the status that tells why, and the mirror goes on serving."""
    text, allowed = BAD[what]

    status, answer = exchange(mirror, text)

    assert status in allowed, answer
    assert mirror.ask("/quota").status == 200


def test_own_absolute_form(mirror: Mirror) -> None:
    """A target in absolute form is fine where the authority is the mirror's own (RFC 9112)."""
    target = "http://{authority}/quota"

    assert exchange(mirror, f"GET {target} HTTP/1.1\r\n{HOST}\r\n")[0] == 200


def test_line_breaks_in_parameters(mirror: Mirror) -> None:
    """CR and LF in a parameter forge neither a header of an answer nor a line of the log."""
    query = "/token?service=x&scope=repository:a%0d%0aX-Forged:%20yes:pull"

    _, answer = exchange(mirror, f"GET {query} HTTP/1.1\r\n{HOST}\r\n")

    assert b"\nX-Forged" not in answer
    assert "\nX-Forged" not in mirror.program.text()


def test_control_characters_in_the_log(mirror: Mirror) -> None:
    """What a client sends reaches the log escaped."""
    exchange(mirror, f"GET /v2/ HTTP/1.1\r\n{HOST}User-Agent: \x1b[31mred\r\n\r\n")
    exchange(mirror, f"GET /v2/%1b%5b31mred HTTP/1.1\r\n{HOST}\r\n")

    assert "\x1b" not in mirror.program.text()


def is_cut_dripping(connection: socket.socket) -> bool:
    """Send one byte more of a header; true once the other side has answered or closed."""
    try:
        connection.send(b"a")
        connection.recv(4096, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


def test_dripped_header(start: MirrorStarter, mirror: Mirror) -> None:
    """A header that comes byte by byte is cut off after ``header_timeout``, whatever comes."""
    options = ("--http", "127.0.0.1:0", "--header-timeout", "1s")
    slow = start("serve", *options, "--upstream", "http://127.0.0.1:9")

    with socket.create_connection(("127.0.0.1", slow.port)) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nX-Slow: ")
        wait_until(lambda: is_cut_dripping(connection), "the connection is cut", seconds=5)


def test_idle_connection(start: MirrorStarter, mirror: Mirror) -> None:
    """A connection that asks nothing more is closed after ``idle_timeout``."""
    options = ("--http", "127.0.0.1:0", "--idle-timeout", "1s")
    idle = start("serve", *options, "--upstream", "http://127.0.0.1:9")

    with socket.create_connection(("127.0.0.1", idle.port), timeout=5) as connection:
        connection.sendall(f"GET /quota HTTP/1.1\r\nHost: {idle.authority}\r\n\r\n".encode())
        while connection.recv(4096):
            pass


def test_connections_of_one_client(start: MirrorStarter, mirror: Mirror) -> None:
    """Beyond ``max_connections_per_client`` a connection is told so, and others go on."""
    options = ("--http", "127.0.0.1:0", "--max-connections-per-client", "2")
    limited = start("serve", *options, "--upstream", "http://127.0.0.1:9")
    held = [limited.connect() for _ in range(2)]
    for connection in held:
        connection.request("GET", "/quota")
        assert connection.getresponse().read()

    status, _ = exchange(limited, f"GET /quota HTTP/1.1\r\n{HOST}\r\n")

    assert status in (429, 503)
    held[0].request("GET", "/quota")
    assert held[0].getresponse().status == 200
    for connection in held:
        connection.close()
