"""The configuration in force, as the values that the daemon is built from."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from urllib.parse import urlsplit

from attrs import field, frozen

from hubmirror.quota.rules import ClientLimits, Network, OnExhausted, Reserve, Rules

__all__ = ["Config", "ListenAddress", "Share"]

#: The names under which Docker Hub's registry answers.
_DOCKER_HUB = frozenset(
    {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
)


@frozen
class ListenAddress:
    """Where to listen: ``host`` is "" for all interfaces, ``port`` 0 for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@frozen
class Share:
    """A share of the disk, in percent."""

    percent: float

    def of(self, size: int) -> int:
        """As much of ``size``."""
        return int(size * self.percent / 100)

    def __str__(self) -> str:
        return f"{self.percent:g}%"


@frozen
class Config:
    """Every setting, by the name it has in the file.

    Durations are seconds, sizes bytes, paths absolute. Five fields are no settings. What stands in
    the files that ``quota_webhook``, ``monitor_token`` and ``acme_eab_key_file`` name is in
    ``webhook_url``, ``monitor_secret`` and ``acme_eab_key``. The others are a user and a password
    each: ``egress_login`` is for ``egress_proxy``, from the file that ``egress_credentials`` names,
    or else from ``HTTPS_PROXY``; ``upstream_login`` is the mirror's own account, from the file that
    ``upstream_credentials`` names, or else from ``HUBMIRROR_UPSTREAM_LOGIN``.
    """

    http: tuple[ListenAddress, ...]
    https: tuple[ListenAddress, ...]
    workers: int
    certificate: Path | None
    private_key: Path | None
    acme: tuple[str, ...]
    acme_email: str | None
    acme_directory: str
    acme_ca: Path | None
    acme_eab_kid: str | None
    acme_eab_key_file: Path | None
    https_redirect: bool
    upstream: str
    upstream_ca: Path | None
    public_url: str | None
    data: Path
    quota: int
    quota_minute: int
    on_exhausted: OnExhausted
    quota_client: tuple[ClientLimits, ...]
    quota_reserve: tuple[Reserve, ...]
    quota_webhook: Path | None
    spare_pulls_below: Share
    networks: Mapping[str, tuple[Network, ...]]
    monitor: tuple[ListenAddress, ...]
    monitor_allow: tuple[Network, ...]
    monitor_token: Path | None
    monitor_public: bool
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    allow_private: tuple[str, ...]
    library_prefix: bool | None
    egress_proxy: str | None
    egress_credentials: Path | None
    no_proxy: tuple[str, ...]
    log_level: str
    log_format: str
    shutdown_grace: float
    connect_timeout: float
    response_timeout: float
    stall_timeout: float
    header_timeout: float
    idle_timeout: float
    send_timeout: float
    retries: int
    max_connections: int
    max_connections_per_client: int
    auth: str
    upstream_credentials: Path | None
    cache: bool
    max_size: int | Share
    min_free: int
    memory_cache: int
    tag_ttl: float
    stale_while_revalidate: float
    patience: float
    stale_for: float | None
    negative_ttl: float
    public_ttl: float
    right_ttl: float
    when_deleted: str
    connections_per_blob: int
    finish_below: int
    prefetch: bool
    warm_images: tuple[str, ...]
    warm_platforms: tuple[str, ...]
    warm_period: float
    egress_login: tuple[str, str] | None = field(default=None, repr=False)
    upstream_login: tuple[str, str] | None = field(default=None, repr=False)
    webhook_url: str | None = field(default=None, repr=False)
    monitor_secret: str | None = field(default=None, repr=False)
    acme_eab_key: str | None = field(default=None, repr=False)

    @property
    def rules(self) -> Rules:
        """What the quota lets through."""
        return Rules(
            self.quota,
            self.quota_minute,
            self.on_exhausted,
            self.networks,
            self.quota_client,
            self.quota_reserve,
            self.spare_pulls_below.percent,
        )

    @property
    def is_docker_hub(self) -> bool:
        """Whether the upstream is Docker Hub, under any of its names."""
        return urlsplit(self.upstream).hostname in _DOCKER_HUB

    @property
    def uses_library_prefix(self) -> bool:
        """Whether a repository of one component, ``busybox``, means ``library/busybox``."""
        return self.is_docker_hub if self.library_prefix is None else self.library_prefix
