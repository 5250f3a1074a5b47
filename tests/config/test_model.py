"""Tests of the configuration's values."""

from __future__ import annotations

import pytest
from attrs import evolve, fields

from hubmirror.config import SETTINGS, Config, ListenAddress, Share, load
from hubmirror.config.model import Upstream
from hubmirror.quota.rules import ClientLimits, Rules


def config(**changes: object) -> Config:
    """The default configuration with these changes."""
    return evolve(load({}, {}, uid=0).config, **changes)  # type: ignore[arg-type]


def test_every_setting_is_a_field() -> None:
    """The table and the class name the same settings, in one order."""
    names = [attribute.name for attribute in fields(Config)]
    secrets = (
        *("egress_login", "upstream_login", "webhook_url", "monitor_secret"),
        "acme_eab_key",
    )
    others = (*secrets, "is_upstream_named")
    assert sorted(names) == sorted([*(setting.name for setting in SETTINGS), *others])


@pytest.mark.parametrize(
    ("address", "written"),
    [
        (ListenAddress("127.0.0.1", 80), "127.0.0.1:80"),
        (ListenAddress("::1", 80), "[::1]:80"),
        (ListenAddress("", 0), ":0"),
    ],
)
def test_an_address_is_written_as_it_is_read(address: ListenAddress, written: str) -> None:
    """IPv6 addresses have brackets; all interfaces have no host."""
    assert str(address) == written


@pytest.mark.parametrize(
    ("upstream", "is_hub"),
    [
        ("https://registry-1.docker.io", True),
        ("https://index.docker.io:443", True),
        ("https://docker.io", True),
        ("https://registry.hub.docker.com", True),
        ("https://docker.io.example.org", False),
        ("https://ghcr.io", False),
    ],
)
def test_docker_hub_is_known_by_its_hosts(upstream: str, is_hub: bool) -> None:
    """Only the Hub's own names make an upstream Docker Hub, and prefixes follow that."""
    ours = config(upstream=upstream)
    assert ours.is_docker_hub is is_hub
    assert ours.uses_library_prefix is is_hub


@pytest.mark.parametrize("wanted", [True, False])
def test_the_library_prefix_can_be_forced(wanted: bool) -> None:
    """A setting that is not auto counts, whatever the upstream."""
    for upstream in ("https://docker.io", "https://ghcr.io"):
        assert config(upstream=upstream, library_prefix=wanted).uses_library_prefix is wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("egress_login", ("user", "s3cret")),
        ("upstream_login", ("user", "s3cret")),
        ("webhook_url", "https://chat.example/s3cret"),
        ("monitor_secret", "s3cret"),
    ],
)
def test_a_secret_is_not_in_the_repr(name: str, value: object) -> None:
    """A configuration that lands in a log shows no password."""
    assert "s3cret" not in repr(config(**{name: value}))


def test_the_rules_of_the_quota() -> None:
    """They are those of the settings."""
    limits = ClientLimits(network="ci", requests_per_day=5)
    rules = config(
        quota=7, quota_minute=6, quota_client=(limits,), spare_pulls_below=Share(5)
    ).rules
    assert rules == Rules(7, 6, "cache-only", {}, (limits,), (), 5.0)


def test_a_share() -> None:
    """It is of a size in bytes, whole ones, and is written as it is read."""
    assert Share(80).of(1001) == 800
    assert str(Share(80)) == "80%"
    assert str(Share(12.5)) == "12.5%"


@pytest.mark.parametrize(
    ("upstream", "tables", "names"),
    [
        ("https://registry-1.docker.io", (), ("docker.io",)),
        ("https://a.example", (), ("docker.io",)),
        ("https://a.example", (Upstream("ghcr.io", "b"),), ("docker.io", "ghcr.io")),
        (
            "https://registry-1.docker.io",
            (Upstream("ghcr.io", "b"), Upstream("docker.io", "c")),
            ("docker.io", "ghcr.io"),
        ),
        (
            "https://registry-1.docker.io",
            (Upstream("docker.io", "c"), Upstream("ghcr.io", "b", is_default=True)),
            ("ghcr.io", "docker.io"),
        ),
    ],
)
def test_registries_by_the_names_that_clients_have(
    upstream: str, tables: tuple[Upstream, ...], names: tuple[str, ...]
) -> None:
    """The default one is first; it has Docker Hub's name where no other has that."""
    assert config(upstream=upstream, upstreams=tables).client_registries == names
