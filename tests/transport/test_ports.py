"""The mirror's own HTTP over real sockets, plain and under TLS, and programs as clients."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred

from hubmirror.transport.ports import TLSPort
from tests.registry.edge import Edge
from tests.support.programs import find_program
from tests.transport.serving import Echo, Peer, Serving

GET = b"GET /v2/ HTTP/1.1\r\nHost: mirror.example\r\n\r\n"
LAST = GET[:-2] + b"Connection: close\r\n\r\n"


def tell(request: Any) -> bytes:
    """An upstream that has its say."""
    request.setHeader("Content-Type", "application/json")
    return b'{"told": "%d"}' % request.content.tell()


async def conversation(serving: Serving, edge: Edge, *sent: bytes) -> bytes:
    """What the mirror says to a client that sends these, each in one go, until it hangs up."""
    port = serving.listen_with(edge.site)
    peer = await serving.run(Peer, port, serving.secure is not None)
    for data in sent:
        await serving.run(peer.send, data)
    reading = serving.run(peer.read_all_and_close)
    await _settled(serving, edge, reading)
    heard = await reading
    await serving.until(lambda: not edge.site.connections)
    return heard


async def _settled(serving: Serving, edge: Edge, working: Deferred[Any]) -> None:
    """The mirror's upstream is in memory: it answers when it is told to."""

    def is_done() -> bool:
        edge.settle()
        return working.called

    await serving.until(is_done)


@ensureDeferred
async def test_requests_one_after_another(serving: Serving) -> None:
    """On a kept connection, until the client wants no more."""
    edge = Edge()
    edge.upstream.answer = tell
    heard = await conversation(serving, edge, GET, GET, LAST)
    assert heard.count(b"HTTP/1.1 200 OK\r\n") == heard.count(b'{"told"') == 3


@ensureDeferred
async def test_requests_that_come_together(serving: Serving) -> None:
    """Pipelined, so in one record: those behind the first are not forgotten, nor those after."""
    edge = Edge()
    edge.upstream.answer = tell
    heard = await conversation(serving, edge, GET * 100 + GET[:30], GET[30:] + LAST)
    assert heard.count(b"HTTP/1.1 200 OK\r\n") == heard.count(b'{"told"') == 102


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n" + GET, 400),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413),
    ],
)
@ensureDeferred
async def test_refusals_arrive(serving: Serving, sent: bytes, status: int) -> None:
    """Whatever the client had still to say: it hears why, once, and then the end."""
    edge = Edge()
    heard = await conversation(serving, edge, sent)
    assert heard.startswith(b"HTTP/1.1 %d " % status)
    assert heard.count(b"HTTP/1.1 ") == 1
    assert heard.endswith(b"]}\n")


@ensureDeferred
async def test_the_scheme_is_known(serving: Serving) -> None:
    """Where clients are sent for a token is on the same side of TLS."""
    edge = Edge()

    def challenge(request: Any) -> bytes:
        request.setResponseCode(401)
        request.setHeader("WWW-Authenticate", 'Bearer realm="https://auth.example/t",service="s"')
        return b"{}"

    edge.upstream.answer = challenge
    heard = await conversation(serving, edge, LAST)
    scheme = b"http" if serving.secure is None else b"https"
    assert b'realm="%s://mirror.example/token"' % scheme in heard


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@ensureDeferred
async def test_openssl_resumes_and_renews_its_keys(
    secure_serving: Serving, version: str, tmp_path: Any
) -> None:
    """A second handshake is a short one; ``K`` asks for new keys on TLS 1.3 (RFC 8446, 4.6.3)."""
    port = secure_serving.listen(Echo)
    program = (find_program("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", version)
    session = tmp_path / "session"
    steps = [("hello\n", "hello\n"), ("Q\n", "DONE\n")]
    if version == "-tls1_3":
        steps[1:1] = [("K\n", "KEYUPDATE\n"), ("after\n", "after\n")]

    def client(*more: str) -> str:
        with subprocess.Popen(
            (*program, *more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            assert running.stdin is not None
            assert running.stdout is not None
            heard = ""
            for said, answer in steps:
                running.stdin.write(said)
                running.stdin.flush()
                for line in running.stdout:
                    heard += line
                    if line == answer:
                        break
            return heard

    first = await secure_serving.run(client, "-sess_out", str(session))
    again = await secure_serving.run(client, "-sess_in", str(session))
    assert "\nNew, TLS" in first
    assert "\nReused, TLS" in again
    assert again.endswith("DONE\n")


@ensureDeferred
async def test_curl_gets_what_is_there(serving: Serving) -> None:
    """Twice over one connection."""
    edge = Edge()
    edge.upstream.answer = tell
    port = serving.listen_with(edge.site)
    url = f"{'http' if serving.secure is None else 'https'}://127.0.0.1:{port}/v2/"
    options = ("--silent", "--insecure", "--noproxy", "*", "--max-time", "20")

    def client() -> str:
        command = (find_program("curl"), *options, url, url, "--write-out", "%{num_connects};")
        return subprocess.run(command, capture_output=True, text=True).stdout

    running = serving.run(client)
    await _settled(serving, edge, running)
    assert await running == '{"told": "0"}1;{"told": "0"}0;'
    await serving.until(lambda: not edge.site.connections)


@ensureDeferred
async def test_it_is_a_port(secure_serving: Serving) -> None:
    """With an address, until it is stopped."""
    secure: Any = secure_serving.secure
    factory: Any = Edge().site
    port = TLSPort(0, factory, secure, secure_serving.reactor, 5, "127.0.0.1")
    port.startListening()
    assert port.getHost().host == "127.0.0.1"
    assert port.backlog == 5
    await port.stopListening()
