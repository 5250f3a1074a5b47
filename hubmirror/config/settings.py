"""The table of settings. Flags, their help, variables, the file and ``check`` come from it.

A setting's name is its key in the file; ``HUBMIRROR_NAME`` is its variable and ``--na-me`` its
flag.
"""

from __future__ import annotations

from functools import partial

from attrs import evolve

from hubmirror.config.access_settings import ACCESS_SETTINGS
from hubmirror.config.addresses import (
    hosts_and_networks,
    listen_addresses,
    networks,
    optional_origin,
    origin,
    proxy,
)
from hubmirror.config.cache_settings import ACCOUNT_SETTINGS, CACHE_SETTINGS
from hubmirror.config.certificate_settings import CERTIFICATE_SETTINGS
from hubmirror.config.files import certificates_file, readable_file
from hubmirror.config.quota_settings import MONITOR_SETTINGS, QUOTA_SETTINGS
from hubmirror.config.search_settings import SEARCH_SETTINGS
from hubmirror.config.setting import (
    VARIABLE_PREFIX,
    Setting,
    duration_setting,
    file_setting,
    login_setting,
    number_setting,
    word_setting,
)
from hubmirror.config.upstream_tables import (
    registry_patterns,
    settle_upstreams,
    upstream_tables,
)
from hubmirror.config.values import choice, path, switch, texts, workers

__all__ = ["CONFIG_FILE", "SETTINGS", "VARIABLE_PREFIX", "Setting"]

CONFIG_FILE = Setting(
    "config",
    path,
    "",
    "The configuration file (TOML).",
    "a readable TOML file",
    check=readable_file,
)

#: There may be twice as many for a moment, while new ones take over.
MOST_WORKERS = 15
_LISTEN = "HOST:PORT, [IPV6]:PORT or :PORT (all interfaces), port 0 for a free one, or off"
_GENERAL: tuple[Setting, ...] = (
    Setting(
        "http",
        listen_addresses,
        ["127.0.0.1:5000"],
        "Where to listen for plain HTTP; may recur.",
        _LISTEN,
        is_repeatable=True,
    ),
    Setting(
        "https",
        listen_addresses,
        [],
        "Where to listen for HTTPS; may recur. Without a certificate the mirror makes a local"
        " CA and a certificate of its own in the data folder.",
        _LISTEN,
        is_repeatable=True,
    ),
    Setting(
        "workers",
        workers(MOST_WORKERS),
        1,
        "How many processes serve clients; auto: one for each processor.",
        f"a whole number from 1 to {MOST_WORKERS}, or auto",
    ),
    *CERTIFICATE_SETTINGS,
    Setting(
        "upstream",
        origin,
        "https://registry-1.docker.io",
        "The registry that is mirrored.",
        "an http or https URL of a host alone, such as https://registry-1.docker.io",
    ),
    evolve(
        file_setting(
            "upstream_ca", "CA certificates (PEM) to trust upstream, beside the platform's."
        ),
        check=certificates_file,
    ),
    Setting(
        "public_url",
        optional_origin,
        "",
        "The URL by which clients know the mirror; else it is the one that each client used.",
        "an http or https URL of a host alone, such as https://hub.example.org",
    ),
    Setting(
        "data",
        path,
        "/var/lib/hubmirror",
        "The folder for what the mirror keeps. Under systemd it is $STATE_DIRECTORY, for other"
        " users than root $XDG_STATE_HOME/hubmirror or ~/.local/state/hubmirror.",
        "a folder, which is made where it is missing",
    ),
    *QUOTA_SETTINGS,
    *MONITOR_SETTINGS,
    *ACCESS_SETTINGS,
    Setting(
        "trusted_proxies",
        networks,
        [],
        "Proxies before the mirror whose Forwarded and X-Forwarded-* headers count.",
        "addresses and networks in CIDR notation, such as 10.0.0.0/8",
    ),
    Setting(
        "allow_private",
        hosts_and_networks,
        [],
        "Where redirects and token servers may be at private addresses. Behind fake-IP DNS:"
        " 198.18.0.0/15.",
        "host names, addresses and networks in CIDR notation",
    ),
    Setting(
        "library_prefix",
        switch,
        "auto",
        "Whether busybox means library/busybox; auto: only when the upstream is Docker Hub.",
        "true, false or auto",
    ),
    Setting(
        "egress_proxy",
        proxy,
        "",
        "The HTTP proxy for all upstream traffic; unset, HTTPS_PROXY counts, and off means none.",
        "http://HOST:PORT without credentials, or off",
        fallbacks=("HTTPS_PROXY", "https_proxy"),
    ),
    login_setting("egress_credentials", "A file with user:password for the egress proxy."),
    Setting(
        "no_proxy",
        texts,
        "",
        "Hosts, domains and networks reached without the egress proxy; unset, NO_PROXY counts.",
        "host names, domains, addresses and networks, or * for all",
        fallbacks=("NO_PROXY", "no_proxy"),
    ),
    Setting(
        "log_level",
        choice("debug", "info", "warn", "error"),
        "info",
        "The least level that is logged.",
        "debug, info, warn or error",
        words=("debug", "info", "warn", "error"),
    ),
    word_setting("log_format", ("text", "json"), "How a log line is written."),
    duration_setting(
        "shutdown_grace", "30s", "How long running transfers may go on after SIGTERM."
    ),
    duration_setting("connect_timeout", "10s", "How long a connection upstream may take to open."),
    duration_setting(
        "response_timeout", "30s", "How long the upstream may take to begin its answer."
    ),
    duration_setting(
        "stall_timeout", "30s", "How long the upstream may send nothing within a body."
    ),
    duration_setting(
        "header_timeout", "10s", "How long a client may take to send a request's headers."
    ),
    duration_setting("idle_timeout", "75s", "How long a client's connection may stay idle."),
    duration_setting("send_timeout", "300s", "How long a client may take no byte of an answer."),
    number_setting(
        "retries", 2, 0, 10, "How often a request that failed before its answer is repeated."
    ),
    number_setting(
        "max_connections", 4096, 1, 10**6, "How many connections of clients may be open."
    ),
    number_setting(
        "max_connections_per_client", 256, 1, 10**6, "How many of them one address may have."
    ),
    *ACCOUNT_SETTINGS,
    *CACHE_SETTINGS,
    *SEARCH_SETTINGS,
)
_BY_NAME = {setting.name: setting for setting in _GENERAL}
SETTINGS: tuple[Setting, ...] = (
    *_GENERAL,
    Setting(
        "upstreams",
        upstream_tables(_BY_NAME),
        {},
        "Other registries by their names, each with a url (or several: the later ones stand in for"
        " the first), hosts that lead to it, and what is other than in general: ca, auth,"
        " credentials, an egress_proxy, times.",
        'tables [upstream."ghcr.io"]',
        is_table=True,
        table_key='upstream."NAME"',
        settle=partial(settle_upstreams, general=_BY_NAME),
    ),
    Setting(
        "allow_upstreams",
        registry_patterns,
        [],
        "Registries beside them that may be pulled from by name, such as quay.io or *.gcr.io.",
        "names of registries, * for anything",
        is_repeatable=True,
    ),
)
