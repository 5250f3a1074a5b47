"""The tables of registries."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubmirror.config import Config, ConfigError, Upstream, load
from hubmirror.errors import NameUnknown


def written(folder: Path, text: str, **flags: str) -> Config:
    """The configuration of a file with ``text``."""
    path = folder / "hubmirror.toml"
    path.write_text(text)
    return load({"config": str(path), **flags}, {}, uid=0).config


def private(folder: Path, text: str) -> Path:
    """A file that only its owner reads."""
    path = folder / "login"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_name_is_enough(tmp_path: Path) -> None:
    """The registry is where it is called; Docker Hub is not."""
    config = written(tmp_path, '[upstream."ghcr.io"]\n[upstream."docker.io"]\n')
    urls = {one.name: one.url for one in config.upstreams}
    assert urls == {"ghcr.io": "https://ghcr.io", "docker.io": "https://registry-1.docker.io"}
    assert config.default.name == "docker.io"


def test_what_is_other_for_one(tmp_path: Path) -> None:
    """Its own settings count for it, the general ones for the rest."""
    config = written(
        tmp_path,
        'tag_ttl = "5m"\nretries = 1\n[upstream."ghcr.io"]\ntag_ttl = "1m"\n'
        'url = ["https://ghcr.io", "https://other.example"]\nhosts = ["GHCR.hub.example"]\n',
    )
    (ghcr,) = config.upstreams
    assert (ghcr.fallbacks, ghcr.hosts) == (("https://other.example",), ("ghcr.hub.example",))
    towards = config.towards(ghcr)
    assert (towards.upstream, towards.tag_ttl, towards.retries) == ("https://ghcr.io", 60, 1)
    assert config.towards(config.default).tag_ttl == 300


def test_the_general_login_is_the_default_registrys(tmp_path: Path) -> None:
    """A password for one registry is never shown to another."""
    private(tmp_path, "me:secret")
    text = (
        'allow_upstreams = "*.gcr.io"\nauth = "mirror"\nupstream_credentials = "login"\n'
        "library_prefix = true\n"
        '[upstream."ghcr.io"]\n[upstream."quay.io"]\ncredentials = "login"\n'
    )
    config = written(tmp_path, text)
    assert config.towards(config.called("docker.io")).upstream_login == ("me", "secret")
    assert config.towards(config.called("ghcr.io")).upstream_login is None
    assert config.towards(config.called("any.gcr.io")).upstream_login is None
    assert not config.towards(config.called("ghcr.io")).uses_library_prefix
    assert config.towards(config.called("ghcr.io")).is_upstream_named
    assert not config.towards(config.called("any.gcr.io")).is_upstream_named
    assert config.towards(config.called("quay.io")).upstream_login == ("me", "secret")
    assert "secret" not in repr(config)


def test_the_default_may_be_another(tmp_path: Path) -> None:
    """Names without a registry are then of that one."""
    config = written(tmp_path, '[upstream."ghcr.io"]\ndefault = true\n')
    assert config.default.name == "ghcr.io"
    assert config.called("") == config.called("ghcr.io") == config.upstreams[0]


def test_who_is_called_so_without_a_table() -> None:
    """It is at its own name, over https."""
    config = load({"allow_upstreams": "quay.io"}, {}, uid=0).config
    with pytest.raises(NameUnknown):
        config.called("ghcr.io")
    assert config.called("quay.io") == Upstream("quay.io", "https://quay.io")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[upstream.x]\nttl = 1\n", "upstream.x.ttl: there is no such key"),
        ('[upstream.x]\ntag_tl = "1m"\n', "upstream.x.tag_tl: there is no such key; did you mean"),
        ('[upstream.x]\nurl = "ftp://x"\n', "upstream.x.url: it is not an absolute http"),
        ('[upstream.x]\nca = "none"\n', "none can't be read"),
        ('[upstream.x]\nretries = "many"\n', "upstream.x.retries: 'many' is not a whole number"),
        ('[upstream."a b"]\n', "it is no registry's name"),
        ('[upstream."a/b"]\n', "it is no registry's name"),
        ('[upstream.x]\nhosts = ["a b"]\n', "upstream.x.hosts: 'a b' is not a host name"),
        (
            '[upstream.x]\nhosts = ["a.b"]\n[upstream.y]\nhosts = "a.b"\n',
            "upstream.y.hosts: a.b leads to x already",
        ),
        (
            "[upstream.x]\ndefault = true\n[upstream.y]\ndefault = true\n",
            "upstream.y.default: x is that already",
        ),
        ('allow_upstreams = ["a/b"]\n', "allow_upstreams: 'a/b' is no name of a registry"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    """Each problem names its key."""
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, text)
    assert told in str(caught.value)


def test_a_login_that_others_may_read(tmp_path: Path) -> None:
    """As with the general one; nothing of it is told."""
    private(tmp_path, "me:secret").chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, '[upstream.x]\nauth = "mirror"\ncredentials = "login"\n')
    assert "upstream.x.credentials" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_general_table_still_stands(tmp_path: Path) -> None:
    """``[upstream]`` with ``ca`` is the general setting ``upstream_ca``."""
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, '[upstream]\nca = "none"\n[upstream.x]\n')
    assert "upstream.ca: " in str(caught.value)
    assert "upstream.x" not in str(caught.value)
