"""An ordinary ``pip install`` of this checkout has all that the daemon needs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.mirror import COMMANDS
from tests.support.programs import run

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which this checkout, without its dependencies, is installed."""
    folder = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source")
    for part in ("hubmirror", "twisted", "pyproject.toml", "setup.py", "README.md"):
        run("cp", "--recursive", ROOT / part, source)  # a build leaves files in its folder
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps")
    run(*pip, "--target", folder, source, seconds=300)
    return folder


def test_twistd_knows_the_plugin(installed: Path, tmp_path: Path) -> None:
    """``twistd`` lists ``hubmirror`` and runs the installed code."""
    code = "import hubmirror; print(hubmirror.__file__)"
    isolated = {"PYTHONPATH": str(installed)}

    assert str(installed) in run(sys.executable, "-c", code, env=isolated, cwd=tmp_path)
    assert "hubmirror" in run(COMMANDS["twistd"][0], "--help", env=isolated, cwd=tmp_path)


def test_every_file_is_there(installed: Path) -> None:
    """Modules, pages and styles: nothing that the checkout has is left out."""

    def files(root: Path) -> set[Path]:
        found = (path.relative_to(root) for path in (root / "hubmirror").rglob("*.*"))
        return {path for path in found if path.suffix != ".pyc"}

    assert files(ROOT) - files(installed) == set()
