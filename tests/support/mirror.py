"""The daemon, started as a user starts it, and what tests ask of it in plain HTTP."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from attrs import frozen

from tests.support.programs import Program

__all__ = ["COMMANDS", "Mirror", "MirrorStarter", "Reply", "start_mirror"]

_SCRIPTS = Path(sys.executable).parent

#: The two ways to start it, which are one code.
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "serve": (f"{_SCRIPTS}/hubmirror", "serve"),
    "twistd": (f"{_SCRIPTS}/twistd", "-n", "hubmirror"),
}


@frozen
class Reply:
    """An HTTP response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@frozen
class Mirror:
    """A running mirror. ``url`` is where it is asked; ``ca`` what a client trusts for https."""

    program: Program
    url: str
    ca: Path | None = None

    @property
    def authority(self) -> str:
        """Host and port, as image names have them."""
        return urlsplit(self.url).netloc

    @property
    def port(self) -> int:
        """The port alone."""
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def connect(
        self, timeout: float = 30, source: tuple[str, int] | None = None
    ) -> http.client.HTTPConnection:
        """A connection to it, certificate verified; from ``source``, or any address."""
        host = self.authority
        if self.url.startswith("http:"):
            return http.client.HTTPConnection(host, timeout=timeout, source_address=source)
        context = ssl.create_default_context(cafile=str(self.ca))
        return http.client.HTTPSConnection(
            host, timeout=timeout, context=context, source_address=source
        )

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Reply:
        """One request on a connection of its own."""
        connection = self.connect()
        try:
            connection.request(method, path, headers=dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def bearer(self, repository: str) -> dict[str, str]:
        """The header with an anonymous token that opens ``repository``, got as clients do."""
        challenge = self.ask("/v2/").headers["WWW-Authenticate"]
        service = re.search(r'service="([^"]*)"', challenge)
        assert f'realm="{self.url}/token"' in challenge, challenge
        assert service is not None, challenge
        query = urlencode({"service": service[1], "scope": f"repository:{repository}:pull"})
        granted = json.loads(self.ask(f"/token?{query}").body)
        return {"Authorization": f"Bearer {granted['token']}"}


class MirrorStarter(Protocol):
    """Starts a mirror that ends with the test: ``start_mirror`` in a folder of the test's own."""

    def __call__(
        self, command: str, *options: str | Path, scheme: str = "http", ca: Path | None = None
    ) -> Mirror: ...


def start_mirror(
    command: str,
    folder: Path,
    *options: str | Path,
    scheme: str = "http",
    ca: Path | None = None,
    wrapper: Sequence[str | Path] = (),
) -> Mirror:
    """Start the daemon by one of ``COMMANDS``; returns once it listens for ``scheme``.

    ``wrapper`` is a command that becomes the daemon, as ``env`` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arguments = (*wrapper, *COMMANDS[command], "--data", folder / "data", *options)
    program = Program(arguments, folder / "mirror.log", cwd=folder)
    try:
        url = program.wait_for_line(rf"listening on ({scheme}://\S+:\d+)")[1]
    except AssertionError:
        program.stop()
        raise
    return Mirror(program, url, ca)
