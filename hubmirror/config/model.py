"""The configuration in force, as the values that the daemon is built from."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from hubmirror.access.rules import Login, NetworkOrName, Rule
from hubmirror.quota.rules import ClientLimits, Network, OnExhausted, Reserve, Rules
from hubmirror.registries import Registries

__all__ = ["DOCKER_HUB", "Config", "ListenAddress", "Share", "Upstream"]

#: The name by which images of Docker Hub are known.
DOCKER_HUB: Final = "docker.io"
#: The names under which Docker Hub's registry answers.
_DOCKER_HUB = frozenset(
    {DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
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
class Upstream:
    """The registry ``name`` at ``url``; where that is down, those at ``fallbacks`` stand in.

    ``hosts`` are this mirror's own names that lead to it. ``is_named``: the operator wrote its
    name; of others, which fit a pattern of ``allow_upstreams``, a client did. ``settings`` are the
    fields of ``Config`` that are other for it.
    """

    name: str
    url: str
    fallbacks: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    is_default: bool = field(default=False, kw_only=True)
    is_named: bool = field(default=True, kw_only=True)
    settings: Mapping[str, Any] = field(factory=dict, repr=False, kw_only=True)


@frozen
class Config:
    """Every setting, by the name it has in the file.

    Durations are seconds, sizes bytes, paths absolute. Six fields are no settings. What stands in
    the files that ``quota_webhook``, ``monitor_token`` and ``acme_eab_key_file`` name is in
    ``webhook_url``, ``monitor_secret`` and ``acme_eab_key``. The others are a user and a password
    each: ``egress_login`` is for ``egress_proxy``, from the file that ``egress_credentials`` names,
    or else from ``HTTPS_PROXY``; ``upstream_login`` is the mirror's own account, from the file that
    ``upstream_credentials`` names, or else from ``HUBMIRROR_UPSTREAM_LOGIN``.
    ``is_upstream_named`` is False where a client has chosen the ``upstream``: see ``Upstream``.
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
    upstreams: tuple[Upstream, ...]
    allow_upstreams: tuple[str, ...]
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
    access_allow: tuple[NetworkOrName, ...]
    access_deny: tuple[NetworkOrName, ...]
    access_login: Login
    access_users: Path | None
    access_rule: tuple[Rule, ...]
    client_certificates: str
    client_ca: Path | None
    client_certificate_user: str
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
    search_upstream: str | None
    egress_login: tuple[str, str] | None = field(default=None, repr=False)
    upstream_login: tuple[str, str] | None = field(default=None, repr=False)
    webhook_url: str | None = field(default=None, repr=False)
    monitor_secret: str | None = field(default=None, repr=False)
    acme_eab_key: str | None = field(default=None, repr=False)
    is_upstream_named: bool = True

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
    def is_open_to_all(self) -> bool:
        """Whether whoever can reach the mirror may pull whatever it likes."""
        is_known = "required" in (self.access_login, self.client_certificates)
        return not (self.access_allow or self.access_rule or is_known)

    @property
    def users_file(self) -> Path:
        """Where the mirror's own users are, if there are any."""
        return self.access_users or self.data / "access" / "users"

    @property
    def robots_file(self) -> Path:
        """Where the tokens of programs are, if there are any."""
        return self.data / "access" / "robots"

    @property
    def pulls_as_itself(self) -> bool:
        """Whether all goes upstream in the mirror's own name, whatever its clients show."""
        return self.auth == "mirror" or self.access_login != "off"

    @property
    def default(self) -> Upstream:
        """The registry of names that have none in front, with its settings.

        It is the one that is marked so, or else that at ``upstream``.
        """
        marked = next((one for one in self.upstreams if one.is_default), None)
        if marked is not None:
            return marked
        name = DOCKER_HUB if self.is_docker_hub else urlsplit(self.upstream).netloc
        named = next((one for one in self.upstreams if one.name == name), None)
        return named or Upstream(name, self.upstream)

    @property
    def registries(self) -> Registries:
        """The registries that this mirror has."""
        named = {one.name: one for one in (self.default, *self.upstreams)}
        return Registries(
            default=self.default.name,
            named=frozenset(named),
            hosts={host: one.name for one in self.upstreams for host in one.hosts},
            prefixed=frozenset(
                name for name, one in named.items() if self.towards(one).uses_library_prefix
            ),
            allowed=self.allow_upstreams,
        )

    def called(self, name: str) -> Upstream:
        """The registry ``name``, "" for the default one; without a table it is where it is called.

        Raises ``NameUnknown`` for one that this mirror does not have.
        """
        if not name:
            return self.default
        own = self.registries.find(name)
        named = {one.name: one for one in (*self.upstreams, self.default)}
        return named.get(own) or Upstream(
            own, f"https://{own}", is_named=own in self.allow_upstreams
        )

    @property
    def client_registries(self) -> tuple[str, ...]:
        """What this mirror has, by the names that images have, the default one's first.

        Docker Hub's name is the default's where no other is called so.
        """
        names = [one.name for one in self.upstreams]
        is_hub = DOCKER_HUB not in names or self.default.name == DOCKER_HUB
        return tuple(dict.fromkeys([DOCKER_HUB if is_hub else self.default.name, *names]))

    def towards(self, upstream: Upstream) -> Config:
        """The configuration as it is for one registry, which is its ``upstream``.

        The login and the grammar that are set in general are those of the default one alone.
        """
        own: dict[str, Any] = {}
        if upstream.name != self.default.name:
            own = dict.fromkeys(("upstream_credentials", "upstream_login", "library_prefix"))
        own["is_upstream_named"] = upstream.is_named
        return evolve(self, upstream=upstream.url, **{**own, **upstream.settings})

    @property
    def is_docker_hub(self) -> bool:
        """Whether the upstream is Docker Hub, under any of its names."""
        return urlsplit(self.upstream).hostname in _DOCKER_HUB

    @property
    def search_url(self) -> str | None:
        """Where searches go, if there is any."""
        if self.search_upstream is None and self.is_docker_hub:
            return "https://index.docker.io"
        return self.search_upstream or None

    @property
    def uses_library_prefix(self) -> bool:
        """Whether a repository of one component, ``busybox``, means ``library/busybox``."""
        return self.is_docker_hub if self.library_prefix is None else self.library_prefix
