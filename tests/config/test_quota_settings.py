"""Tests of the settings of the quota and of who may watch it, as a file has them."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from hubmirror.config import Config, ConfigError, ListenAddress, Share, load
from hubmirror.quota.rules import ClientLimits, Reserve

QUOTA = """
[quota]
day = 5000
minute = 0
on_exhausted = "refuse"
webhook = "hook"

[[quota.client]]
network = "ci"
requests_per_day = 2000

[[quota.reserve]]
share = "20%"
networks = ["production"]

[networks]
ci = "10.1.0.0/16"
production = ["10.2.0.0/16", "2001:db8::/64"]

[monitor]
listen = "127.0.0.1:0"
allow = "10.3.0.0/16"
token = "token"
public = "on"
"""


def private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.write_text(text)
    path.chmod(0o600)


def loaded(folder: Path, text: str) -> Config:
    """The configuration that a file in ``folder`` makes."""
    (folder / "x.toml").write_text(text)
    return load({"config": "x.toml"}, {}, folder=folder, uid=0).config


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with that, less whence it came."""
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    return [str(problem).removesuffix(" (file x.toml)") for problem in caught.value.problems]


def test_the_defaults() -> None:
    """What the quota is that nobody has told anything."""
    config = load({}, {}, uid=0).config
    assert (config.quota, config.quota_minute, config.on_exhausted) == (100_000, 1000, "cache-only")
    assert (config.quota_client, config.quota_reserve, config.networks) == ((), (), {})
    assert (config.spare_pulls_below, config.quota_webhook) == (Share(10), None)
    assert (config.monitor, config.monitor_allow, config.monitor_token) == ((), (), None)
    assert config.monitor_public is False


def test_all_of_it(tmp_path: Path) -> None:
    """In tables; files start at the file's folder."""
    private(tmp_path / "hook", "https://chat.example/s3cret\n")
    private(tmp_path / "token", "0123456789abcdef\n")
    config = loaded(tmp_path, QUOTA)
    assert (config.quota, config.quota_minute, config.on_exhausted) == (5000, 0, "refuse")
    assert config.quota_client == (ClientLimits(network="ci", requests_per_day=2000),)
    assert config.quota_reserve == (Reserve(20, ("production",)),)
    assert config.networks["ci"] == (ip_network("10.1.0.0/16"),)
    assert config.monitor == (ListenAddress("127.0.0.1", 0),)
    assert config.monitor_allow == (ip_network("10.3.0.0/16"),)
    assert config.monitor_public is True
    assert config.webhook_url == "https://chat.example/s3cret"
    assert config.monitor_secret == "0123456789abcdef"
    assert (config.quota_webhook, config.monitor_token) == (tmp_path / "hook", tmp_path / "token")


def test_flags_and_variables_beat_tables(tmp_path: Path) -> None:
    """As they beat any key of the file."""
    (tmp_path / "x.toml").write_text("[quota]\nday = 1\nminute = 1\n")
    flags = {"config": "x.toml", "quota": "2"}
    result = load(flags, {"HUBMIRROR_QUOTA_MINUTE": "3"}, folder=tmp_path, uid=0)
    assert (result.config.quota, result.config.quota_minute) == (2, 3)
    assert result.sources["quota"] == "flag --quota"


def test_every_error_names_its_key_as_it_is_written(tmp_path: Path) -> None:
    """A part of a table by its path, counted from 0; all at once."""
    text = (
        '[quota]\nday = "x"\nwebhook = "https://chat.example/s3cret"\n'
        '[[quota.client]]\nuser = "a"\nrequests_per_day = "x"\n'
        '[[quota.reserve]]\nshare = "1%"\nusers = "a"\n'
        '[[quota.reserve]]\nshare = "1"\nusers = "b"\n'
        '[networks]\nci = "x"\n[monitor]\nlisten = "x"\n'
    )
    told = problems(tmp_path, text)
    assert sorted(line.partition(":")[0] for line in told) == [
        "monitor.listen",
        "networks.ci",
        "quota.client[0].requests_per_day",
        "quota.day",
        "quota.reserve[1].share",
        "quota.webhook",
    ]
    assert (
        "quota.reserve[1].share: '1' is not a share such as 20%; allowed: a share such as 20%"
        in (told)
    )
    assert "s3cret" not in "".join(told)


def test_a_top_level_list_of_tables(tmp_path: Path) -> None:
    """It is the same, and is told by that name."""
    assert problems(tmp_path, "[[quota_client]]\n") == ["quota_client[0]: it limits nothing"]


def test_a_token_that_others_may_read(tmp_path: Path) -> None:
    """It is refused, and told by its key."""
    (tmp_path / "token").write_text("0123456789abcdef")
    (tmp_path / "token").chmod(0o644)
    (line,) = problems(tmp_path, '[monitor]\ntoken = "token"\n')
    assert line.startswith("monitor.token: ")
    assert "chmod 600" in line
