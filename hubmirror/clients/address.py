"""What a client is told: where the mirror is, what it mirrors, whom to trust for it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

__all__ = ["DOCKER_HUB", "MirrorAddress", "server_of"]

DOCKER_HUB: Final = "docker.io"
#: What is asked when a mirror can't be reached, where that is not the name of the registry.
_SERVERS: Final = {DOCKER_HUB: "registry-1.docker.io"}


@frozen
class MirrorAddress:
    """The mirror at ``url``, a scheme and an authority.

    ``registries`` are those that it mirrors, by the names that images have; ``ca`` is the CA
    (PEM) that is to be trusted for it, None where the machine's own trust will do. ``default`` is
    the registry of names that have none in front.
    """

    url: str
    registries: tuple[str, ...] = (DOCKER_HUB,)
    ca: bytes | None = None
    default: str = DOCKER_HUB

    @property
    def authority(self) -> str:
        """Host and port, as the URL has them."""
        return self.url.partition("://")[2]

    @property
    def is_plain(self) -> bool:
        """Whether it speaks HTTP without TLS."""
        return self.url.startswith("http:")

    @property
    def is_loopback(self) -> bool:
        """Whether it is on the client's own machine, by an address or as ``localhost``."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def server_of(registry: str) -> str:
    """The URL of ``registry`` itself."""
    return f"https://{_SERVERS.get(registry, registry)}"
