"""The settings of the quota and of who may watch it."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve

from hubmirror.config.addresses import listen_addresses, networks
from hubmirror.config.files import read_secret, read_url
from hubmirror.config.quota_tables import client_limits, named_networks, reserves
from hubmirror.config.setting import (
    Setting,
    file_setting,
    number_setting,
    switch_setting,
    word_setting,
)
from hubmirror.config.sizes import share
from hubmirror.config.values import optional_path

__all__ = ["MONITOR_SETTINGS", "QUOTA_SETTINGS"]


def _url_file(raw: object) -> Path | None:
    """A path. Who writes the URL itself is told so: it may be a secret, and is not quoted."""
    if isinstance(raw, str) and "://" in raw:
        raise ValueError("it is a URL; put that into a file of mode 0600, and name the file here")
    return optional_path(raw)


QUOTA_SETTINGS: tuple[Setting, ...] = (
    evolve(
        number_setting("quota", 100_000, 0, 10**12, "How many requests a UTC day; 0: no limit."),
        table_key="quota.day",
    ),
    number_setting("quota_minute", 1_000, 0, 10**12, "How many of them a minute; 0: no limit."),
    evolve(
        word_setting(
            "on_exhausted",
            ("cache-only", "refuse", "count"),
            "What happens when they are spent: what is kept is still served and nothing goes"
            " upstream; all is refused; nothing is.",
        ),
        table_key="quota.on_exhausted",
    ),
    Setting(
        "quota_client",
        client_limits,
        [],
        "Limits for one network, one user, or each address: requests_per_day,"
        " requests_per_minute, bytes_per_day, bytes_per_minute.",
        "tables [[quota.client]]",
        is_table=True,
        table_key="quota.client",
    ),
    Setting(
        "quota_reserve",
        reserves,
        [],
        "A share of the day, the minute and Docker Hub's own limit for some networks and users.",
        "tables [[quota.reserve]] with share and networks or users",
        is_table=True,
        table_key="quota.reserve",
    ),
    Setting(
        "networks",
        named_networks,
        {},
        "Names for networks, for the quota.",
        "a table [networks] of names with addresses and networks in CIDR notation",
        is_table=True,
    ),
    Setting(
        "spare_pulls_below",
        share,
        "10%",
        "When so little of Docker Hub's own limit is left, an outdated tag is served to spare"
        " a pull.",
        "a share such as 10%",
        table_key="quota.spare_pulls_below",
    ),
    evolve(
        file_setting(
            "quota_webhook",
            "A file with the URL that is told (POST, JSON) when 50, 80 and 95 % are spent.",
        ),
        parse=_url_file,
        check=read_url,
        allowed="a file that only its owner can read, with an http or https URL as its one line",
    ),
)

MONITOR_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "monitor",
        listen_addresses,
        [],
        "Where to listen for those who watch the mirror, instead of where clients pull; may recur.",
        "HOST:PORT, [IPV6]:PORT or :PORT (all interfaces), port 0 for a free one, or off",
        is_repeatable=True,
        table_key="monitor.listen",
    ),
    Setting(
        "monitor_allow",
        networks,
        [],
        "Who may watch it beside this machine.",
        "addresses and networks in CIDR notation, such as 10.0.0.0/8",
    ),
    evolve(
        file_setting("monitor_token", "A file with the bearer token of those who may watch it."),
        check=read_secret,
        allowed="a file that only its owner can read, with one line of 16 characters at least",
    ),
    switch_setting("monitor_public", "off", "Whether all may see the numbers, without names."),
)
