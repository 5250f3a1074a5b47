"""The settings of who may use the mirror."""

from __future__ import annotations

from attrs import evolve

from hubmirror.config.access_tables import access_rules, networks_or_names
from hubmirror.config.files import certificates_file
from hubmirror.config.setting import Setting, file_setting, word_setting
from hubmirror.config.values import optional_path

__all__ = ["ACCESS_SETTINGS"]

_NETWORKS = "addresses and networks in CIDR notation, and names of [networks]"

ACCESS_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "access_allow",
        networks_or_names,
        [],
        "Who may use the mirror, by network; without any, all may.",
        _NETWORKS,
    ),
    Setting(
        "access_deny",
        networks_or_names,
        [],
        "Who may not, by network: this counts before access_allow.",
        _NETWORKS,
    ),
    word_setting(
        "access_login",
        ("off", "optional", "required"),
        "Whether clients log in to the mirror itself: none does; who does may have more by the"
        " rules; all do. Unless it is off, the mirror pulls in its own name, as by auth = mirror.",
    ),
    Setting(
        "access_users",
        optional_path,
        "",
        "The users who may log in, as htpasswd -B writes them. Unset, it is access/users in the"
        " data folder, which hubmirror user looks after.",
        "a file, which may be missing",
    ),
    Setting(
        "access_rule",
        access_rules,
        [],
        "Rules on repositories and tags: the first that matches counts.",
        "tables [[access.rule]] with action and any of repositories, tags, users, networks,"
        " media_types, platforms and message",
        is_table=True,
        table_key="access.rule",
    ),
    word_setting(
        "client_certificates",
        ("off", "optional", "required"),
        "Whether https clients show a certificate of client_ca.",
    ),
    evolve(
        file_setting("client_ca", "The CA certificates (PEM) of clients' certificates."),
        check=certificates_file,
    ),
    word_setting(
        "client_certificate_user",
        ("cn", "email", "dns", "uri"),
        "What in a client's certificate is its user: the subject's common name, or the first such"
        " name of its subjectAltName.",
    ),
)
