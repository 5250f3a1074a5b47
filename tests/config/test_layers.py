"""Tests of the sources of settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubmirror.config import layers

HERE = Path("/here")


def test_flags() -> None:
    """A flag's value has the flag as its source; an unknown one names its neighbour."""
    layer = layers.flags({"public_url": "x", "qouta": ""}, HERE)
    assert layer.values["public_url"] == "x"
    assert layer.sources["public_url"] == "flag --public-url"
    assert [str(one) for one in layer.problems] == [
        "--qouta: there is no such flag; did you mean --quota?"
    ]


def test_variables() -> None:
    """Only our own variables count; an unknown one names its neighbour."""
    layer = layers.variables({"HUBMIRROR_QUOTA": "5", "HUBMIRROR_DATE": "x", "QUOTA": "6"}, HERE)
    assert layer.values == {"quota": "5"}
    assert layer.sources["quota"] == "variable HUBMIRROR_QUOTA"
    assert [str(one) for one in layer.problems] == [
        "HUBMIRROR_DATE: there is no such variable; did you mean HUBMIRROR_DATA?"
    ]


def test_the_upstream_login_is_kept_aside() -> None:
    """It is no setting, and neither the values nor the repr hold it."""
    layer = layers.variables({"HUBMIRROR_UPSTREAM_LOGIN": "me:s3cret"}, HERE)
    assert layer.upstream_login == ("me", "s3cret")
    assert not layer.problems
    assert not layer.values
    assert "s3cret" not in repr(layer)
    assert layers.variables({"HUBMIRROR_UPSTREAM_LOGIN": ""}, HERE).upstream_login is None


def test_a_wrong_upstream_login_is_told_without_its_secret() -> None:
    """The variable is named, what it holds is not."""
    (problem,) = layers.variables({"HUBMIRROR_UPSTREAM_LOGIN": "s3cret"}, HERE).problems
    assert problem.key == "HUBMIRROR_UPSTREAM_LOGIN"
    assert "s3cret" not in str(problem)


def test_no_flag_takes_the_upstream_login() -> None:
    """A command line is for everybody on the machine to read."""
    (problem,) = layers.flags({"upstream_login": "me:s3cret"}, HERE).problems
    assert "s3cret" not in str(problem)


def test_empty_text_is_not_set() -> None:
    """A variable that a compose file leaves empty counts as absent, and so does a flag."""
    assert not layers.variables({"HUBMIRROR_QUOTA": ""}, HERE).values
    assert not layers.flags({"quota": ""}, HERE).values


def test_what_kubernetes_adds_for_a_service_is_no_problem() -> None:
    """A Service called hubmirror puts variables beside ours, which are none of ours."""
    environ = {
        "HUBMIRROR_SERVICE_HOST": "10.0.0.7",
        "HUBMIRROR_SERVICE_PORT": "5000",
        "HUBMIRROR_SERVICE_PORT_HTTP": "5000",
        "HUBMIRROR_PORT": "tcp://10.0.0.7:5000",
        "HUBMIRROR_PORT_5000_TCP": "tcp://10.0.0.7:5000",
        "HUBMIRROR_PORT_5000_TCP_ADDR": "10.0.0.7",
    }
    monitor = {name.replace("HUBMIRROR", "HUBMIRROR_MONITOR"): environ[name] for name in environ}
    assert not layers.variables({**environ, **monitor}, HERE).problems
    assert layers.variables({"HUBMIRROR_PORT": "5000"}, HERE).problems
    assert layers.variables({"HUBMIRROR_MONITOR_PORT": "5000"}, HERE).problems


def test_file(tmp_path: Path) -> None:
    """A file's values have it as their source and its folder for their paths."""
    path = tmp_path / "x.toml"
    path.write_text('quota = 5\nhttp = ":80"\npublic-url = "x"\n[server]\nport = 1\n')
    layer = layers.file(path, "x.toml")
    assert layer.values["quota"] == 5
    assert layer.sources["quota"] == "file x.toml"
    assert layer.folder == tmp_path
    assert [str(one) for one in layer.problems] == [
        "public-url: there is no such key; did you mean public_url? (file x.toml)",
        "server: there is no such key (file x.toml)",
    ]


def test_a_table_spells_the_first_word_of_its_keys(tmp_path: Path) -> None:
    """``[warm]`` with ``images`` is ``warm_images``; a word that no key begins with is none."""
    path = tmp_path / "x.toml"
    path.write_text('quota = 5\n[warm]\nimages = ["busybox"]\nperiot = "1h"\n')
    layer = layers.file(path, "x.toml")
    assert layer.values["warm_images"] == ["busybox"]
    assert [str(one) for one in layer.problems] == [
        "warm.periot: there is no such key; did you mean warm.period? (file x.toml)"
    ]
    assert layer.keys["warm_images"] == "warm.images"


def test_tables_of_the_quota(tmp_path: Path) -> None:
    """``[quota]`` and ``[monitor]`` spell what top-level keys do, some in their own words.

    A table that is a setting itself is its value.
    """
    path = tmp_path / "x.toml"
    path.write_text(
        '[quota]\nday = 5\nminute = 6\non_exhausted = "count"\nwebhook = "x"\n'
        'spare_pulls_below = "5%"\n'
        '[[quota.client]]\nuser = "a"\n[[quota.client]]\nuser = "b"\n'
        '[[quota.reserve]]\nshare = "1%"\n'
        '[monitor]\nlisten = ":1"\nallow = "::1"\ntoken = "y"\npublic = true\n'
        '[networks]\nci = "10.0.0.0/8"\n'
    )
    layer = layers.file(path, "x.toml")
    assert not layer.problems
    assert layer.values == {
        "quota": 5,
        "quota_minute": 6,
        "on_exhausted": "count",
        "quota_webhook": "x",
        "spare_pulls_below": "5%",
        "quota_client": [{"user": "a"}, {"user": "b"}],
        "quota_reserve": [{"share": "1%"}],
        "monitor": ":1",
        "monitor_allow": "::1",
        "monitor_token": "y",
        "monitor_public": True,
        "networks": {"ci": "10.0.0.0/8"},
    }
    assert layer.keys["quota"] == "quota.day"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "quota_minute = 1\n[quota]\nminute = 2\n",
            "quota.minute: quota_minute sets the same (file x.toml)",
        ),
        (
            'on_exhausted = "count"\n[quota]\non_exhausted = "count"\n',
            "quota.on_exhausted: on_exhausted sets the same (file x.toml)",
        ),
        (
            "warm_images = []\n[warm]\nimages = []\n",
            "warm.images: warm_images sets the same (file x.toml)",
        ),
        (
            "[quota]\ndayy = 1\n",
            "quota.dayy: there is no such key; did you mean quota.day? (file x.toml)",
        ),
        (
            "[[quota.clients]]\n",
            "quota.clients: there is no such key; did you mean quota.client? (file x.toml)",
        ),
    ],
)
def test_what_is_wrong_with_keys_of_tables(tmp_path: Path, text: str, told: str) -> None:
    """A setting that is spelled twice, and a key that there is not."""
    path = tmp_path / "x.toml"
    path.write_text(text)
    assert [str(one) for one in layers.file(path, "x.toml").problems] == [told]


def test_a_key_that_is_a_table_as_well_is_no_toml(tmp_path: Path) -> None:
    """``quota`` and ``[quota]`` can't stand in one file: the line is told."""
    path = tmp_path / "x.toml"
    path.write_text("quota = 1\n[quota]\nday = 2\n")
    (problem,) = layers.file(path, "x.toml").problems
    assert "line 2" in problem.wrong


@pytest.mark.parametrize(
    "text", [f"a = {'[' * 5000}", "a = " + "{a=" * 5000, f"a = {'9' * 5000}"], ids=len
)
def test_what_the_decoder_fails_at(tmp_path: Path, text: str) -> None:
    """It is told like any other mistake."""
    path = tmp_path / "x.toml"
    path.write_text(text)
    (problem,) = layers.file(path, "etc/x.toml").problems
    assert problem.key == "config"
    assert "too deeply" in problem.wrong


def test_tables_are_for_the_file() -> None:
    """Neither a flag nor a variable can hold one, and none is proposed."""
    (flag,) = layers.flags({"quota_client": "x"}, HERE).problems
    assert str(flag) == (
        "--quota-client: only the file can hold it; allowed: tables [[quota.client]]"
    )
    layer = layers.variables({"HUBMIRROR_NETWORKS": "x"}, HERE)
    (variable,) = layer.problems
    assert str(variable).startswith("HUBMIRROR_NETWORKS: only the file can hold it; allowed: a ta")
    assert not layer.values
    assert "networks" not in str(layers.flags({"network": "x"}, HERE).problems[0])


def test_a_key_that_is_no_name_is_told_on_one_line(tmp_path: Path) -> None:
    """Control characters of a quoted key don't reach the terminal."""
    path = tmp_path / "x.toml"
    path.write_text('"a\\nb" = 1\n')
    (problem,) = layers.file(path, "x.toml").problems
    assert str(problem).isprintable()


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    """The problem names the file and the line."""
    path = tmp_path / "x.toml"
    path.write_text("quota = 5\nhttp = [\n")
    (problem,) = layers.file(path, "etc/x.toml").problems
    assert problem.key == "config"
    assert "etc/x.toml is not TOML" in problem.wrong
    path.write_text("quota = 5\nhttp == 1\n")
    (problem,) = layers.file(path, "etc/x.toml").problems
    assert "line 2" in problem.wrong


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and one that is not UTF-8 are problems of ``config``."""
    (missing,) = layers.file(tmp_path / "missing", "missing").problems
    assert "No such file" in missing.wrong
    (tmp_path / "latin").write_bytes(b"\xff")
    (latin,) = layers.file(tmp_path / "latin", "latin").problems
    assert latin.wrong == "latin is not UTF-8"


def test_fallbacks() -> None:
    """Upper case comes before lower case, as in Go's clients; empty ones don't count."""
    layer = layers.fallbacks(
        {"https_proxy": "low:1", "HTTPS_PROXY": "up:1", "NO_PROXY": "", "no_proxy": "x"}, HERE
    )
    assert layer.values == {"egress_proxy": "up:1", "no_proxy": "x"}
    assert layer.sources["egress_proxy"] == "variable HTTPS_PROXY"
    assert layer.sources["no_proxy"] == "variable no_proxy"


def test_a_fallback_keeps_its_login_aside() -> None:
    """Credentials in HTTPS_PROXY are neither in the value nor in the repr."""
    layer = layers.fallbacks({"HTTPS_PROXY": "http://u:s3cret@proxy:1"}, HERE)
    assert layer.values == {"egress_proxy": "http://proxy:1"}
    assert layer.proxy_login == ("u", "s3cret")
    assert "s3cret" not in repr(layer)


@pytest.mark.parametrize(
    ("environ", "uid", "folder"),
    [
        ({}, 0, "/var/lib/hubmirror"),
        ({"HOME": "/root"}, 0, "/var/lib/hubmirror"),
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, 0, "/var/lib/a"),
        ({"STATE_DIRECTORY": "/var/lib/a", "HOME": "/home/u"}, 7, "/var/lib/a"),
        ({"HOME": "/home/u"}, 7, "/home/u/.local/state/hubmirror"),
        ({"HOME": "/home/u", "XDG_STATE_HOME": "/s"}, 7, "/s/hubmirror"),
        ({"HOME": "/home/u", "XDG_STATE_HOME": "s"}, 7, "/home/u/.local/state/hubmirror"),
        ({}, 7, "/var/lib/hubmirror"),
    ],
)
def test_the_default_data_folder(environ: dict[str, str], uid: int, folder: str) -> None:
    """Systemd's folder, root's, or that of the user's own state."""
    assert layers.defaults(environ, uid).values["data"] == folder
