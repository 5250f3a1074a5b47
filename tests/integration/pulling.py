"""Clients in plain HTTP: they get tokens, read blobs and pull images, several at once."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import urlencode

from attrs import frozen

from hubmirror.demo.image import DOCKER, OCI
from tests.integration.live_hub import PASSWORDS
from tests.support.mirror import Mirror

__all__ = ["ACCEPT", "Reader", "basic", "login", "manifest", "pull", "read", "together"]

T = TypeVar("T")

#: What docker and containerd list.
ACCEPT = {"Accept": ", ".join((OCI.index, OCI.manifest, DOCKER.index, DOCKER.manifest))}

_PIECE = 64 * 1024


def basic(user: str) -> dict[str, str]:
    """The header by which ``user`` shows the Hub's password."""
    secret = base64.b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode()
    return {"Authorization": f"Basic {secret}"}


def login(mirror: Mirror, repository: str, user: str | None = None) -> dict[str, str]:
    """The header with a token for ``repository``, as the mirror's ``/token`` gives it."""
    query = urlencode({"service": "registry.demo", "scope": f"repository:{repository}:pull"})
    granted = mirror.ask(f"/token?{query}", basic(user) if user is not None else None)
    assert granted.status == 200, granted
    return {"Authorization": f"Bearer {json.loads(granted.body)['token']}"}


def together(works: Sequence[Callable[[], T]]) -> list[T]:
    """What ``works`` return, all done at once, each in a thread of its own."""
    with ThreadPoolExecutor(len(works)) as threads:
        return [done.result() for done in [threads.submit(work) for work in works]]


@frozen
class Reader:
    """A client of a blob at ``path`` that asks for ``span`` (first byte, byte after the last).

    ``stop`` is how many bytes it takes before it leaves; None: all.
    """

    mirror: Mirror
    path: str
    headers: Mapping[str, str]
    span: tuple[int, int | None] | None = None
    stop: int | None = None
    arrived: Callable[[int], None] = lambda _length: None

    def read(self) -> bytes:
        """The bytes; raises ``IncompleteRead`` where they are fewer than were promised."""
        connection = self.mirror.connect()
        try:
            connection.request("GET", self.path, headers=self._headers())
            response = connection.getresponse()
            wanted = 200 if self.span is None else 206
            assert response.status == wanted, (response.status, response.read(1000))
            return self._body(response)
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        if self.span is None:
            return dict(self.headers)
        start, end = self.span
        return {**self.headers, "Range": f"bytes={start}-{'' if end is None else end - 1}"}

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        length = response.length if self.stop is None else self.stop
        assert length is not None
        body = bytearray()
        while len(body) < length:
            piece = response.read1(min(_PIECE, length - len(body)))
            if not piece:
                raise http.client.IncompleteRead(bytes(body), length - len(body))
            body += piece
            self.arrived(len(piece))
        return bytes(body)


def read(mirror: Mirror, path: str, headers: Mapping[str, str]) -> bytes:
    """A whole blob."""
    return Reader(mirror, path, headers).read()


def manifest(mirror: Mirror, repository: str, reference: str, headers: Mapping[str, str]) -> bytes:
    """A manifest or index, whose digest is as it was asked for, or as the answer says."""
    answer = mirror.ask(f"/v2/{repository}/manifests/{reference}", {**ACCEPT, **headers})
    assert answer.status == 200, (answer.status, answer.body[:1000])
    told = answer.headers["Docker-Content-Digest"]
    assert told == f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
    assert reference in (told, reference.partition(":")[0])
    return answer.body


def pull(mirror: Mirror, repository: str, tag: str, headers: Mapping[str, str]) -> str:
    """Pull an image whole, all platforms, as skopeo does; the digest of its index.

    Raises ``AssertionError`` where an answer is not what it should be, and ``OSError`` or
    ``HTTPException`` where there is none.
    """
    index = manifest(mirror, repository, tag, headers)
    for listed in json.loads(index)["manifests"]:
        document = json.loads(manifest(mirror, repository, listed["digest"], headers))
        for blob in (document["config"], *document["layers"]):
            body = read(mirror, f"/v2/{repository}/blobs/{blob['digest']}", headers)
            assert len(body) == blob["size"]
            assert blob["digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    return f"sha256:{hashlib.sha256(index).hexdigest()}"
