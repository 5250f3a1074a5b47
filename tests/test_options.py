"""Tests of the options, as ``twistd`` and the verbs use them."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.python.usage import Options as TwistedOptions

from hubmirror.config import CONFIG_FILE, SETTINGS, ConfigError, ListenAddress
from hubmirror.options import Options


def parsed(*arguments: str, **environ: str) -> Options:
    """The options after these arguments, in this environment."""
    options = Options(environ=environ)
    options.parseOptions(arguments)
    return options


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, **environ: str) -> list[str]:
    """What stderr says of arguments that end the process with 2."""
    with pytest.raises(SystemExit) as caught:
        parsed(*arguments, **environ)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_every_setting_has_a_flag_with_its_help() -> None:
    """The help lists each flag; its text is the table's."""
    options = Options(environ={})
    for setting in (CONFIG_FILE, *(one for one in SETTINGS if not one.is_table)):
        assert options.docs[setting.flag.removeprefix("--")].startswith(setting.help)
        assert setting.flag in str(options)


def test_tables_have_no_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """The help has none of them; whoever writes one is told that the file holds it."""
    written = str(Options(environ={}))
    tables = [setting for setting in SETTINGS if setting.is_table]
    assert tables
    assert not [setting.flag for setting in tables if f"{setting.flag}=" in written]
    lines = refused(capsys, *(f"{setting.flag}=x" for setting in tables))
    assert [line.split("; ")[0] for line in lines] == [
        f"hubmirror: {setting.flag}: only the file can hold it" for setting in tables
    ]


def test_flags_reach_the_configuration() -> None:
    """One that may recur is a list; of the others the last one counts."""
    options = parsed("--http", ":1", "--http=:2", "--quota=5", "--quota", "6")
    assert options.loaded.config.http == (ListenAddress("", 1), ListenAddress("", 2))
    assert options.loaded.config.quota == 6
    assert options.loaded.sources["quota"] == "flag --quota"


def test_two_parsers_share_nothing() -> None:
    """Lists of one command line don't leak into the next."""
    parsed("--http", ":1")
    assert parsed("--http", ":2").loaded.config.http == (ListenAddress("", 2),)


def test_variables_reach_the_configuration() -> None:
    """The environment counts where no flag does."""
    assert parsed(HUBMIRROR_QUOTA="7").loaded.config.quota == 7


def test_every_problem_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong values and unknown flags stand on a line each."""
    lines = refused(
        capsys, "--qouta", "5", "--quota=x", "--colour=red", "--retries=99", HUBMIRROR_DATE="x"
    )
    assert [line.removeprefix("hubmirror: ").partition(":")[0] for line in lines] == [
        "--qouta",
        "--colour",
        "HUBMIRROR_DATE",
        "quota",
        "retries",
    ]
    assert "did you mean --quota?" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--quota"], "quota"),
        (["-x"], "-x"),
        (["start"], "unexpected argument 'start'"),
        (["--qouta", "--quota"], "quota"),
    ],
)
def test_a_command_line_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """A missing value, a short flag and a stray word end with 2 as well."""
    (line,) = refused(capsys, *arguments)
    assert told in line


def test_reload(tmp_path: Path) -> None:
    """The file is read again; what is loaded stays until the caller takes the new one."""
    path = tmp_path / "x.toml"
    path.write_text("quota = 1")
    options = parsed("--config", str(path))
    path.write_text("quota = 2")
    assert options.reload().config.quota == 2
    assert options.loaded.config.quota == 1
    path.write_text("quota = x")
    with pytest.raises(ConfigError, match="not TOML"):
        options.reload()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The project's version, not Twisted's."""
    with pytest.raises(SystemExit) as caught:
        parsed("--version")
    assert not caught.value.code
    assert capsys.readouterr().out.startswith("hubmirror")


def test_the_synopsis_is_what_was_typed() -> None:
    """A verb shows its own name, ``twistd`` shows its own as well."""
    assert str(Options("hubmirror check", environ={})).startswith("Usage: hubmirror check ")

    class Parent(TwistedOptions):
        synopsis = "Usage: twistd [options]"
        subCommand = "hubmirror"

    child = Options(environ={})
    child.parent = Parent()
    assert str(child).startswith("Usage: twistd [options] hubmirror [options]")
