"""The wheel and the source distribution, installed on a clean machine: nothing of the checkout."""

from __future__ import annotations

import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.live_hub import LiveHub
from tests.support.mirror import Mirror
from tests.support.programs import Program, run

ROOT = Path(__file__).parents[2]
CONSTRAINTS: tuple[str | Path, ...] = (
    "--quiet",
    "--constraint",
    ROOT / "packaging" / "constraints.txt",
)
#: The checkout must not be found by chance.
CLEAN = {"PYTHONPATH": ""}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The programs of an environment with the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    run(folder / "bin/pip", "install", *CONSTRAINTS, wheel, env=CLEAN, cwd=folder, seconds=300)
    return folder / "bin"


@pytest.fixture
def mirror(installed: Path, tmp_path: Path, hub: LiveHub) -> Iterator[Mirror]:
    """A mirror of ``hub`` by ``twistd``."""
    options: tuple[str | Path, ...] = ("--http", "127.0.0.1:0", "--data", tmp_path / "data")
    program = Program(
        [installed / "twistd", "-n", "--pidfile=", "hubmirror", *options, *hub.upstream],
        tmp_path / "log",
        env=CLEAN,
        cwd=tmp_path,
    )
    try:
        yield Mirror(program, program.wait_for_line(r"listening on (http://\S+)")[1])
    finally:
        program.stop()


def test_the_wheel_has_every_file(wheel: Path) -> None:
    """Modules, pages and styles, and the plugin; and nothing that is Twisted's."""
    names = set(zipfile.ZipFile(wheel).namelist())
    of_package = {str(path.relative_to(ROOT)) for path in files(ROOT / "hubmirror")}

    of_twisted = {name for name in names if name.startswith("twisted/")}

    assert of_package - names == set()
    assert of_twisted == {"twisted/plugins/hubmirror_plugin.py"}


def test_the_source_has_what_builds_it(sdist: Path) -> None:
    """Code, tests, units and documents, under one folder."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    wanted = ("hubmirror", "twisted", "tests", "etc", "docs", "packaging")
    paths = {str(path.relative_to(ROOT)) for part in wanted for path in files(ROOT / part)}

    assert {"pyproject.toml", "setup.py", "Makefile", "LICENSE", "README.md"} <= names
    assert paths - names == set()


def test_the_source_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    """So a distributor needs no more than that."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, sdist)
    again = next(tmp_path.glob("*.whl"))

    assert zipfile.ZipFile(again).namelist() == zipfile.ZipFile(wheel).namelist()


def test_what_is_installed_fits(installed: Path, tmp_path: Path) -> None:
    """No requirement is missing or at odds with another, and the code is not the checkout's."""
    where = run(
        installed / "python",
        "-c",
        "import hubmirror; print(hubmirror.__file__)",
        env=CLEAN,
        cwd=tmp_path,
    )

    assert "No broken requirements" in run(installed / "pip", "check", env=CLEAN, cwd=tmp_path)
    assert where.startswith(str(installed.parent))


def test_twistd_lists_it(installed: Path, tmp_path: Path) -> None:
    """With its own plugins beside: they are what they were."""
    listed = run(installed / "twistd", "--help", env=CLEAN, cwd=tmp_path)

    assert "    hubmirror " in listed
    assert "    web " in listed


def test_twistd_serves(mirror: Mirror, hub: LiveHub) -> None:
    """It is healthy, shows its page, and an image comes through."""
    token = mirror.bearer("hello")

    assert mirror.ask("/healthz").status == 200
    assert b"<html" in mirror.ask("/").body
    assert mirror.ask("/v2/hello/manifests/latest", token).status == 200
    assert hub.asked("registry")[("GET", "/v2/library/hello/manifests/latest", 200)] == 1


def test_the_command_shows_a_pull(installed: Path, tmp_path: Path) -> None:
    """``hubmirror demo --once`` needs nothing but what was installed."""
    told = run(installed / "hubmirror", "demo", "--once", env=CLEAN, cwd=tmp_path)

    assert "digest" in told
    assert "failed" not in told


def test_pipx_installs_it(wheel: Path, tmp_path: Path) -> None:
    """The command alone, in an environment of its own."""
    tools = tmp_path / "tools"
    venv.create(tools, with_pip=True)
    run(tools / "bin/pip", "install", "--quiet", "pipx", cwd=tmp_path, seconds=300)
    env = {
        **CLEAN,
        "PIPX_HOME": str(tmp_path / "home"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "PIPX_MAN_DIR": str(tmp_path / "man"),
    }

    run(tools / "bin/pipx", "install", wheel, env=env, cwd=tmp_path, seconds=300)

    assert run(tmp_path / "bin/hubmirror", "--version", env=CLEAN).startswith("hubmirror ")


def test_nothing_of_twisted_goes_with_it(installed: Path, wheel: Path, tmp_path: Path) -> None:
    """Removed, it leaves ``twistd`` as it was."""
    pip = installed / "pip"
    run(pip, "uninstall", "--yes", "hubmirror", env=CLEAN, cwd=tmp_path)
    try:
        listed = run(installed / "twistd", "--help", env=CLEAN, cwd=tmp_path)
    finally:
        run(pip, "install", "--no-deps", wheel, env=CLEAN, cwd=tmp_path)

    assert "    web " in listed
    assert "hubmirror" not in listed


def files(folder: Path) -> Iterator[Path]:
    """The files below ``folder`` that git would have, too."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".pyc" and path.name != "dropin.cache":
            yield path
