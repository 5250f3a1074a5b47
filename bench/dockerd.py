"""What dockerd asks a registry for when it pulls an image, played back.

Source: moby's ``distribution/pull_v2.go`` and ``xfer/download.go``: a ping, the manifest by tag,
then the config and, three at a time (``max-concurrent-downloads``), the layers in their order.
Redirects are followed by the client.
"""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any
from urllib.parse import urlsplit

from bench.content import MANIFEST_TYPE, NAME, TAG

__all__ = ["CONCURRENT_DOWNLOADS", "Client", "timed_pull"]

CONCURRENT_DOWNLOADS = 3


class Client:
    """GETs with kept connections, of which each thread has its own."""

    def __init__(self) -> None:
        self._kept = local()

    def get(self, url: str, accept: str = "*/*") -> bytes:
        """The body of a 200, after redirects; raises ``RuntimeError`` for any other answer."""
        target = urlsplit(url)
        connection = self._connection(target.netloc)
        connection.request("GET", target.path, headers={"Accept": accept})
        response = connection.getresponse()
        body = response.read()
        if response.status == 307:
            return self.get(str(response.headers["Location"]), accept)
        if response.status != 200:
            raise RuntimeError(f"{url}: {response.status} {body[:200]!r}")
        return body

    def _connection(self, netloc: str) -> http.client.HTTPConnection:
        connections: dict[str, Any] = self._kept.__dict__
        if netloc not in connections:
            connections[netloc] = http.client.HTTPConnection(netloc, timeout=60)
        found: http.client.HTTPConnection = connections[netloc]
        return found


def timed_pull(registry: str) -> float:
    """Seconds for the whole image of the registry at this URL."""
    began = time.perf_counter()
    client = Client()
    image = f"{registry}/v2/{NAME}"
    client.get(f"{registry}/v2/")
    manifest = json.loads(client.get(f"{image}/manifests/{TAG}", MANIFEST_TYPE))
    layers = [layer["digest"] for layer in manifest["layers"]]
    with ThreadPoolExecutor(1) as aside, ThreadPoolExecutor(CONCURRENT_DOWNLOADS) as downloads:
        config = aside.submit(client.get, f"{image}/blobs/{manifest['config']['digest']}")
        works = [downloads.submit(client.get, f"{image}/blobs/{digest}") for digest in layers]
        for work in (config, *works):
            work.result()
    return time.perf_counter() - began
