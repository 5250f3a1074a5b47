"""Tests of loading: precedence, sources, and every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubmirror.config import SETTINGS, ConfigError, ListenAddress, Loaded, Problem, load
from tests.support.certificates import Authority


def problems(flags: dict[str, object], environ: dict[str, str] | None = None) -> dict[str, Problem]:
    """The problems of a configuration by their keys."""
    with pytest.raises(ConfigError) as caught:
        load(flags, environ or {}, uid=0)
    return {problem.key: problem for problem in caught.value.problems}


def toml(path: Path, text: str) -> str:
    """A configuration file's name."""
    path.write_text(text)
    return str(path)


def test_defaults() -> None:
    """Nothing given is the front door of the documentation."""
    loaded = load({}, {}, uid=0)
    assert loaded.config.http == (ListenAddress("127.0.0.1", 5000),)
    assert loaded.config.https == ()
    assert loaded.config.upstream == "https://registry-1.docker.io"
    assert loaded.config.quota == 100_000
    assert loaded.config.idle_timeout == 75.0
    assert set(loaded.sources) == {setting.name for setting in SETTINGS}
    assert set(loaded.sources.values()) == {"default"}


def test_precedence(tmp_path: Path) -> None:
    """A flag beats a variable, which beats the file, which beats the default."""
    name = toml(tmp_path / "x.toml", "quota = 1\nretries = 1\nmax_connections = 1\n")
    environ = {"HUBMIRROR_QUOTA": "2", "HUBMIRROR_RETRIES": "2"}
    loaded = load({"config": name, "quota": "3"}, environ, uid=0)
    config = loaded.config
    assert (config.quota, config.retries, config.max_connections) == (3, 2, 1)
    assert config.max_connections_per_client == 256
    assert [
        loaded.sources[key]
        for key in ("quota", "retries", "max_connections", "max_connections_per_client")
    ] == ["flag --quota", "variable HUBMIRROR_RETRIES", f"file {name}", "default"]


def test_a_variable_may_name_the_file(tmp_path: Path) -> None:
    """``HUBMIRROR_CONFIG`` is the flag's variable, and the flag beats it."""
    one, two = toml(tmp_path / "1.toml", "quota = 1"), toml(tmp_path / "2.toml", "quota = 2")
    assert load({}, {"HUBMIRROR_CONFIG": one}, uid=0).config.quota == 1
    assert load({"config": two}, {"HUBMIRROR_CONFIG": one}, uid=0).config.quota == 2


def test_relative_paths(tmp_path: Path) -> None:
    """They start at the file's folder in the file, else at the folder that is given."""
    (tmp_path / "etc").mkdir()
    toml(tmp_path / "etc" / "x.toml", 'data = "kept"')
    flags = {"config": "etc/x.toml"}
    assert load(flags, {}, folder=tmp_path).config.data == tmp_path / "etc" / "kept"
    loaded = load({**flags, "data": "kept"}, {}, folder=tmp_path)
    assert loaded.config.data == tmp_path / "kept"


def test_loading_again_sees_the_changed_file(tmp_path: Path) -> None:
    """The same inputs give what the file now says."""
    flags = {"config": toml(tmp_path / "x.toml", "quota = 1")}
    assert load(flags, {}).config.quota == 1
    toml(tmp_path / "x.toml", "quota = 2")
    assert load(flags, {}).config.quota == 2


def test_every_problem_at_once(tmp_path: Path) -> None:
    """Faults of flags, variables and the file, unknown names among them, come together."""
    name = toml(tmp_path / "x.toml", 'quota = "many"\nupstrem = "x"\n')
    found = problems(
        {"config": name, "http": ["5000"], "colour": ""},
        {"HUBMIRROR_RETRIES": "99", "HUBMIRROR_LOG_LEVL": "info"},
    )
    assert set(found) == {
        "quota",
        "upstrem",
        "http",
        "--colour",
        "retries",
        "HUBMIRROR_LOG_LEVL",
    }
    assert found["quota"].source == f"file {name}"
    assert found["quota"].allowed == "a whole number from 0 to 1000000000000"
    assert found["retries"].source == "variable HUBMIRROR_RETRIES"
    assert "upstream" in found["upstrem"].wrong


def test_a_broken_file_does_not_hide_other_problems(tmp_path: Path) -> None:
    """What flags have wrong is told beside the file."""
    found = problems({"config": str(tmp_path / "missing.toml"), "quota": "x"})
    assert set(found) == {"config", "quota"}


@pytest.mark.parametrize(
    ("given", "missing"), [("certificate", "private_key"), ("private_key", "certificate")]
)
def test_certificate_and_key_go_together(tmp_path: Path, given: str, missing: str) -> None:
    """One without the other is a problem of the one that is missing."""
    certificate = Authority(tmp_path).issue("own")
    files = {"certificate": str(certificate), "private_key": str(certificate.with_suffix(".key"))}
    assert set(problems({given: files[given]})) == {missing}
    assert load(files, {}).config.certificate == certificate


def test_certificate_and_key_must_be_a_pair(tmp_path: Path) -> None:
    """What TLS could not use is a problem of the configuration, told before anything listens."""
    authority = Authority(tmp_path)
    one, other = authority.issue("one"), authority.issue("other")
    found = problems({"certificate": str(one), "private_key": str(other.with_suffix(".key"))})
    assert set(found) == {"certificate"}


def test_a_ca_must_be_one(tmp_path: Path) -> None:
    """A file of something else is a problem of its key."""
    path = toml(tmp_path / "x.pem", "PEM")
    assert "no certificates" in problems({"upstream_ca": path})["upstream_ca"].wrong


def test_files_must_be_readable(tmp_path: Path) -> None:
    """A path that names no file is a problem of its key."""
    found = problems({"upstream_ca": str(tmp_path / "missing")})
    assert "No such file" in found["upstream_ca"].wrong


def test_something_must_listen() -> None:
    """Both off is a problem; one is enough."""
    assert "off" in problems({"http": "off"})["http"].wrong
    assert load({"http": "off", "https": ":443"}, {}).config.http == ()


def test_an_address_is_listed_once() -> None:
    """The same port twice could never be bound; free ports may be many."""
    assert "twice" in problems({"http": ":80", "https": [":443", ":443"]})["https"].wrong
    assert "twice" in problems({"http": ":80", "https": ":80"})["http"].wrong
    assert len(load({"http": [":0", ":0"]}, {}).config.http) == 2


def proxy(loaded: Loaded) -> tuple[str | None, tuple[str, str] | None]:
    """The egress proxy and its login."""
    return loaded.config.egress_proxy, loaded.config.egress_login


def test_the_proxy_of_the_environment() -> None:
    """``HTTPS_PROXY`` and ``NO_PROXY`` count where nothing else is said, credentials included."""
    environ = {"HTTPS_PROXY": "http://u:s3cret@proxy:1", "NO_PROXY": "localhost,.x.org"}
    loaded = load({}, environ)
    assert proxy(loaded) == ("http://proxy:1", ("u", "s3cret"))
    assert loaded.config.no_proxy == ("localhost", ".x.org")
    assert loaded.sources["egress_proxy"] == "variable HTTPS_PROXY"
    assert "s3cret" not in repr(loaded)


def test_a_setting_beats_the_proxy_of_the_environment(tmp_path: Path) -> None:
    """A file's proxy counts, without the other's credentials; ``off`` is none at all."""
    environ = {"HTTPS_PROXY": "http://u:s3cret@proxy:1"}
    name = toml(tmp_path / "x.toml", 'egress_proxy = "http://other:2"')
    assert proxy(load({"config": name}, environ)) == ("http://other:2", None)
    assert proxy(load({"egress_proxy": "off"}, environ)) == (None, None)


def test_a_wrong_proxy_of_the_environment_is_told_without_its_secret() -> None:
    """The variable is named, its credentials are not."""
    found = problems({}, {"HTTPS_PROXY": "socks5://u:s3cret@proxy:1"})
    assert found["egress_proxy"].source == "variable HTTPS_PROXY"
    assert "s3cret" not in str(found["egress_proxy"])


def test_the_file_of_credentials_is_the_login(tmp_path: Path) -> None:
    """It counts before what stands in the variable."""
    login = tmp_path / "login"
    login.write_text("me:mine\n")
    login.chmod(0o600)
    flags = {"egress_credentials": str(login)}
    assert load(flags, {"HTTPS_PROXY": "http://u:p@x:1"}).config.egress_login == ("me", "mine")
    login.chmod(0o644)
    assert "chmod 600" in problems(dict(flags))["egress_credentials"].wrong


def upstream_login(path: Path, text: str = "me:mine\n") -> str:
    """The name of a file of credentials."""
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_the_mirrors_own_account(tmp_path: Path) -> None:
    """It comes from a file or a variable; the file counts first, and nothing shows it."""
    environ = {"HUBMIRROR_UPSTREAM_LOGIN": "you:s3cret"}
    loaded = load({"auth": "mirror"}, environ)
    assert loaded.config.upstream_login == ("you", "s3cret")
    assert "s3cret" not in repr(loaded)
    name = upstream_login(tmp_path / "login")
    variables = {**environ, "HUBMIRROR_UPSTREAM_CREDENTIALS": name}
    assert load({"auth": "mirror"}, variables).config.upstream_login == ("me", "mine")
    assert load({"auth": "mirror"}, {}).config.upstream_login is None


def test_an_account_file_is_its_owners_alone(tmp_path: Path) -> None:
    """As that of the egress proxy."""
    name = upstream_login(tmp_path / "login")
    Path(name).chmod(0o640)
    found = problems({"auth": "mirror", "upstream_credentials": name})
    assert "chmod 600" in found["upstream_credentials"].wrong


def test_an_account_that_would_not_be_used_is_a_problem(tmp_path: Path) -> None:
    """Passthrough sends the clients' own credentials: an account beside it is a mistake."""
    name = upstream_login(tmp_path / "login")
    found = problems({"upstream_credentials": name})
    assert "auth" in found["upstream_credentials"].wrong
    assert found["upstream_credentials"].source == "flag --upstream-credentials"
    found = problems({}, {"HUBMIRROR_UPSTREAM_LOGIN": "you:s3cret"})
    assert "s3cret" not in str(found["HUBMIRROR_UPSTREAM_LOGIN"])
