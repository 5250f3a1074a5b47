"""The image, built without a network from a clean Debian, and run as an operator would."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.live_hub import LiveHub
from tests.packaging.clean_root import CleanRoot
from tests.support.mirror import Mirror
from tests.support.programs import Program, run

ROOT = Path(__file__).parents[2]
#: What a virtual machine or another container may not give: the hard limits of this one.
LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=1024:1024")
HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str | Path, ...]]:
    """The command, with images and containers of its own."""
    folder = tmp_path_factory.mktemp("podman")
    # Not overlay: the folder may be on one itself.
    own = ("--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "vfs")
    podman: tuple[str | Path, ...] = ("podman", *own, "--cgroup-manager", "cgroupfs")
    yield podman
    run(*podman, "rmi", "--all", "--force", seconds=120)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def image(
    podman: tuple[str | Path, ...], tmp_path_factory: pytest.TempPathFactory, deb: Path
) -> str:
    """The image, on a base that has Python as the named one has."""
    folder = tmp_path_factory.mktemp("image")
    base = CleanRoot.made(folder / "base")
    base.run("apt-get", "update", "-qq")
    base.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "python3-venv")
    run("tar", "--directory", base.folder, "--create", "--file", folder / "base.tar", ".")
    base.remove()
    run(*podman, "import", folder / "base.tar", "localhost/base", seconds=300)
    (folder / "base.tar").unlink()
    wheels = folder / "wheels"
    version = deb.name.split("_")[1].partition("-")[0]
    shutil.copytree(ROOT / "build/deb" / f"hubmirror-{version}" / "wheels", wheels)
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels)
    run(*pip, "setuptools>=77", seconds=120)
    arguments = ("BASE=localhost/base", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels")
    run(
        *podman,
        *("build", "--isolation=chroot", "--layers=false", "--format=docker"),
        *(word for argument in arguments for word in ("--build-arg", argument)),
        *("--volume", f"{wheels}:/wheels:ro", "--tag", "hubmirror"),
        *("--file", "etc/container/Containerfile", "."),
        cwd=ROOT,
        seconds=600,
    )
    return "localhost/hubmirror"


@pytest.fixture
def mirror(
    podman: tuple[str | Path, ...], image: str, hub: LiveHub, tmp_path: Path
) -> Iterator[Mirror]:
    """A container that nothing but its volume lets write."""
    settings = ("--env", "HUBMIRROR_HTTP=127.0.0.1:0", "--env", f"HUBMIRROR_UPSTREAM={hub.url}")
    program = Program(
        [
            *podman,
            *("run", "--rm", "--name=mirror", "--network=host", "--no-healthcheck"),
            *(*LIMITS, *HARDENED, *settings, "--env", "HUBMIRROR_LIBRARY_PREFIX=true"),
            *("--volume", "data:/var/lib/hubmirror", image),
        ],
        tmp_path / "log",
    )
    try:
        url = program.wait_for_line(r"listening on (http://\S+)", seconds=120)[1]
        yield Mirror(program, url)
        run(*podman, "stop", "--time=20", "mirror", seconds=60)
        assert program.wait() == 0, program.text()
    finally:
        program.stop()


def test_an_image_comes_through(mirror: Mirror, podman: tuple[str | Path, ...]) -> None:
    """By a user who is not root, with a root file system that can't be written."""
    token = mirror.bearer("hello")

    assert mirror.ask("/v2/hello/manifests/latest", token).status == 200
    inside = (*podman, "exec", "mirror")
    assert run(*inside, "id", "-u").strip() == "10001"
    assert "Read-only" in run(*inside, "touch", "/opt/hubmirror/x", status=1)
    assert "library/hello" in run(*inside, "hubmirror", "cache", "ls")


def test_its_health_is_asked_for(
    mirror: Mirror, podman: tuple[str | Path, ...], image: str
) -> None:
    """By a program that is in the image, at an address that answers."""
    check = run(*podman, "inspect", image, "--format", "{{json .HealthCheck}}")

    assert "/healthz" in check
    assert mirror.ask("/healthz").status == 200
    assert run(*podman, "exec", "mirror", "python3", "--version").startswith("Python 3")
