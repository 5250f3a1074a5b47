"""The table of settings. Flags, their help, variables, the file and ``check`` come from it.

A setting's name is its key in the file; ``HUBMIRROR_NAME`` is its variable and ``--na-me`` its
flag.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from hubmirror.config.addresses import (
    hosts_and_networks,
    listen_addresses,
    networks,
    optional_origin,
    origin,
    proxy,
)
from hubmirror.config.files import read_login, readable_file
from hubmirror.config.values import (
    choice,
    duration,
    optional_path,
    path,
    switch,
    texts,
    whole_number,
)

__all__ = ["CONFIG_FILE", "SETTINGS", "VARIABLE_PREFIX", "Setting"]

VARIABLE_PREFIX = "HUBMIRROR_"


@frozen
class Setting:
    """One setting: how it is read, what is allowed, and what it is for.

    ``default`` is written as in the file; empty text means that nothing is set. ``check`` looks
    at what a parsed path names; both it and ``parse`` raise ``ValueError``. ``fallbacks`` are
    ordinary variables that count after the file.
    """

    name: str
    parse: Callable[[object], object]
    default: object
    help: str
    allowed: str
    check: Callable[[Path], object] | None = None
    fallbacks: tuple[str, ...] = ()
    is_repeatable: bool = False

    @property
    def flag(self) -> str:
        """The flag: ``--public-url``."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """The environment variable: ``HUBMIRROR_PUBLIC_URL``."""
        return VARIABLE_PREFIX + self.name.upper()


CONFIG_FILE = Setting(
    "config",
    path,
    "",
    "The configuration file (TOML).",
    "a readable TOML file",
    check=readable_file,
)

_LISTEN = "HOST:PORT, [IPV6]:PORT or :PORT (all interfaces), port 0 for a free one, or off"
_DURATION = "more than 0 and at most a day: seconds, or text such as 500ms, 30s, 5m"


def _duration(name: str, default: str, help_text: str) -> Setting:
    return Setting(name, duration, default, help_text, _DURATION)


def _number(name: str, default: int, least: int, most: int, help_text: str) -> Setting:
    allowed = f"a whole number from {least} to {most}"
    return Setting(name, whole_number(least, most), default, help_text, allowed)


def _file(name: str, help_text: str) -> Setting:
    return Setting(name, optional_path, "", help_text, "a readable file", check=readable_file)


SETTINGS: tuple[Setting, ...] = (
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
    _file("certificate", "The certificate chain for HTTPS (PEM), the mirror's own first."),
    _file("private_key", "The private key of the certificate (PEM, not encrypted)."),
    Setting(
        "upstream",
        origin,
        "https://registry-1.docker.io",
        "The registry that is mirrored.",
        "an http or https URL of a host alone, such as https://registry-1.docker.io",
    ),
    _file("upstream_ca", "CA certificates (PEM) to trust upstream instead of the platform's."),
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
    _number("quota", 100_000, 0, 10**12, "How many requests a UTC day are answered; 0: no limit."),
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
    Setting(
        "egress_credentials",
        optional_path,
        "",
        "A file with user:password for the egress proxy.",
        "a file that only its owner can read, one line of the form user:password",
        check=read_login,
    ),
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
    ),
    Setting(
        "log_format",
        choice("text", "json"),
        "text",
        "How a log line is written.",
        "text or json",
    ),
    _duration("shutdown_grace", "30s", "How long running transfers may go on after SIGTERM."),
    _duration("connect_timeout", "10s", "How long a connection upstream may take to open."),
    _duration("response_timeout", "30s", "How long the upstream may take to begin its answer."),
    _duration("stall_timeout", "30s", "How long the upstream may send nothing within a body."),
    _duration("header_timeout", "10s", "How long a client may take to send a request's headers."),
    _duration("idle_timeout", "75s", "How long a client's connection may stay idle."),
    _duration("send_timeout", "300s", "How long a client may take no byte of an answer."),
    _number("retries", 2, 0, 10, "How often a request that failed before its answer is repeated."),
    _number("max_connections", 4096, 1, 10**6, "How many connections of clients may be open."),
    _number("max_connections_per_client", 256, 1, 10**6, "How many of them one address may have."),
)
