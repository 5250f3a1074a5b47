"""The settings of what the mirror keeps, and of the account by which it gets it."""

from __future__ import annotations

from hubmirror.config.images import images, platforms
from hubmirror.config.setting import (
    Setting,
    duration_setting,
    lifetime_setting,
    login_setting,
    number_setting,
    size_setting,
    switch_setting,
    word_setting,
)
from hubmirror.config.sizes import size_or_share
from hubmirror.config.values import optional_lifetime

__all__ = ["ACCOUNT_SETTINGS", "CACHE_SETTINGS"]

ACCOUNT_SETTINGS: tuple[Setting, ...] = (
    word_setting(
        "auth",
        ("passthrough", "mirror"),
        "Whose credentials go upstream: each client's own, or the mirror's. With mirror, whoever"
        " can reach the mirror can pull every private image that its account can.",
    ),
    login_setting(
        "upstream_credentials",
        "A file with user:password of the mirror's own account upstream, for auth = mirror; the"
        " variable HUBMIRROR_UPSTREAM_LOGIN may hold user:password itself.",
    ),
)

CACHE_SETTINGS: tuple[Setting, ...] = (
    switch_setting("cache", "on", "Whether anything is kept."),
    Setting(
        "max_size",
        size_or_share,
        "80%",
        "How much is kept; a share is of the disk's free space and what is kept already.",
        "bytes, text such as 50GiB or 50GB, or a share such as 80%",
    ),
    size_setting("min_free", "1GiB", "How much of the disk is left free, whatever max_size says."),
    size_setting(
        "memory_cache", "64MiB", "How much of what was asked for lately is kept in memory, too."
    ),
    lifetime_setting("tag_ttl", "5m", "How long a tag is answered without asking upstream."),
    lifetime_setting(
        "stale_while_revalidate",
        "1h",
        "How long after that it is answered at once, and checked upstream behind.",
    ),
    duration_setting(
        "patience",
        "3s",
        "How long a client waits for a check upstream when a stale answer is at hand.",
    ),
    Setting(
        "stale_for",
        optional_lifetime,
        "",
        "How old a tag may be in an outage of the upstream; unset or off, there is no bound.",
        "from 0 to 365 days: seconds, or text such as 12h, 7d; or off",
    ),
    lifetime_setting("negative_ttl", "30s", "How long a 404 is answered without asking upstream."),
    lifetime_setting("public_ttl", "1h", "How long a public repository is held for public."),
    lifetime_setting(
        "right_ttl", "5m", "How long a client's right to a private repository needs no new check."
    ),
    word_setting(
        "when_deleted",
        ("keep", "drop"),
        "What becomes of a tag that the upstream removed: served on with a warning, or gone.",
    ),
    number_setting(
        "connections_per_blob", 4, 1, 32, "How many connections fetch a large blob in parallel."
    ),
    size_setting(
        "finish_below",
        "64MiB",
        "A fetch that nobody waits for any more goes on if it is past half, or if the blob is no"
        " larger than this.",
    ),
    switch_setting(
        "prefetch", "on", "Whether layers are fetched as soon as their manifest was asked for."
    ),
    Setting(
        "warm_images",
        images,
        [],
        "Images that are kept fresh by themselves; may recur.",
        "images as docker pull takes them, such as busybox or library/alpine:3",
        is_repeatable=True,
    ),
    Setting(
        "warm_platforms",
        platforms,
        ["linux/amd64"],
        "The platforms of these images; may recur.",
        "os/architecture or os/architecture/variant, such as linux/arm64/v8",
        is_repeatable=True,
    ),
    duration_setting("warm_period", "1h", "How often these images are looked at."),
)
