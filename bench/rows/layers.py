"""A cold image of many layers, far from its registry: what each request's delay adds up to."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.comparing import by_peer, compared
from bench.content import Content
from bench.dockerd import timed_pull
from bench.peers import Hub, new
from bench.results import Aim, Row

__all__ = ["measure"]

LAYERS, LENGTH = 12, 2 * 1024 * 1024
#: Before each answer of the registry and of the blob host, in seconds.
DELAY = 0.05
#: Less time than a direct pull.
AIM = Aim(1.0)

#: nginx is not among them: it would not follow redirects, and spare itself every second request.
_PEERS = ("hubmirror", "docker-registry", "direct")


def measure(rounds: int) -> Row:
    """A pull through each new cache in turn, and one from the registry itself."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        content = Content(Path(name) / "content")
        content.image([content.blob(LENGTH) for _ in range(LAYERS)])
        hub = Hub.start(stack, content, delay=DELAY)

        def seconds(peer: str) -> float:
            if peer == "direct":
                return timed_pull(hub.registry)
            with new(peer, hub) as cache:
                return timed_pull(cache.url)

        samples = by_peer(_PEERS, [[seconds(peer) for peer in _PEERS] for _ in range(rounds)])
    quantity = f"pull, {LAYERS} layers, {DELAY * 1000:.0f} ms a request"
    return Row("layers", list(compared(quantity, "s", samples, "direct", AIM)))
