"""A server in TLS for the benchmark's clients."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from bench.certificate import Certificate

__all__ = ["answering_securely"]


@contextmanager
def answering_securely(folder: Path, response: bytes) -> Iterator[str]:
    """The URL of one that answers each request with ``response``, and hangs up."""
    certificate = Certificate.make(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_serve, args=(listener, context, response))
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}/blob"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, context: ssl.SSLContext, response: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(response)
            secure.setblocking(False)
            secure.unwrap()  # says that it closes, and does not wait for the same
