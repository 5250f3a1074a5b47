"""The client that is the same for all peers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from bench.reading import timed_get, timed_gets, wait_for_answer


@contextmanager
def answering(response: bytes) -> Iterator[str]:
    """The URL of a server that takes one request, answers ``response`` and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(response)

        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/blob"
        thread.join()


def test_a_whole_body_is_timed() -> None:
    """Also one of which a part comes with the head."""
    body = b"x" * 3_000_000
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + body) as url:
        assert timed_get(url, len(body)) > 0


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "4 bytes are missing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshort", "not a 200 of 9 bytes"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 9\r\n\r\nnine byte", "not a 200 of 9 bytes"),
        (b"HTTP/1.1 200 OK\r\n", "no answer"),
    ],
)
def test_a_wrong_answer_is_never_timed(response: bytes, complaint: str) -> None:
    """A peer that fails fast must not look fast."""
    with answering(response) as url, pytest.raises(RuntimeError, match=complaint):
        timed_get(url, 9)


def test_many_are_read_at_once() -> None:
    """Each has its own time, and one that is answered last does not hold up the others."""
    response = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
    with answering(response) as one, answering(response) as other:
        assert all(seconds > 0 for seconds in timed_gets([one, other], 4))


def test_an_answer_is_waited_for_until_it_is_good() -> None:
    """A port that is open says little: a cache may say 503 while it starts."""
    answers = [b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nready"]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answers.pop(0))

        thread = Thread(target=serve)
        thread.start()
        wait_for_answer(f"http://127.0.0.1:{listener.getsockname()[1]}/readyz")
        thread.join()
    assert not answers
