"""The Debian package on a clean Debian: installed, running, removed, and nothing left."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubmirror.demo.image import hello_image
from tests.integration.live_hub import LiveHub
from tests.packaging.clean_root import CleanRoot
from tests.support.mirror import Mirror
from tests.support.programs import run

ROOT = Path(__file__).parents[2]
UNITS = Path("lib/systemd/system")
#: Of each of these, the tools that change it leave the state before.
ACCOUNTS = ("group", "gshadow", "passwd", "shadow", "subgid", "subuid")
SERVICE = UNITS / "hubmirror.service"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, deb: Path) -> Iterator[CleanRoot]:
    """A clean Debian with the package."""
    root = CleanRoot.made(tmp_path_factory.mktemp("clean") / "root")
    install(root, deb)
    yield root
    root.remove()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[CleanRoot]:
    """A clean Debian without it."""
    root = CleanRoot.made(tmp_path / "root")
    yield root
    root.remove()


@pytest.fixture
def mirror(root: CleanRoot, hub: LiveHub, tmp_path: Path) -> Iterator[Mirror]:
    """The service, started as systemd would: its command, its user, its variables."""
    service = service_of(root)
    env = {
        "STATE_DIRECTORY": f"/var/lib/{service['StateDirectory']}",
        "HUBMIRROR_HTTP": "127.0.0.1:0",
        "HUBMIRROR_UPSTREAM": hub.url,
        "HUBMIRROR_LIBRARY_PREFIX": "true",
    }
    user = f"{service['User']}:{service['Group']}"
    command = shlex.split(service["ExecStart"])
    program = root.start(*command, log=tmp_path / "log", user=user, env=env)
    try:
        yield Mirror(program, program.wait_for_line(r"listening on (http://\S+)")[1])
    finally:
        program.stop()
    assert "Traceback" not in program.text(), program.text()


def test_each_library_has_its_version(deb: Path) -> None:
    """What comes along is what was tried: a new dependency has its line in the constraints."""
    pinned = re.findall(r"(?m)^([\w-]+)==(\S+)", (ROOT / "packaging/constraints.txt").read_text())
    source = ROOT / "build/deb" / f"hubmirror-{deb.name.split('_')[1].partition('-')[0]}"
    names = [path.name.split("-") for path in (source / "wheels").glob("*.whl")]

    shipped = {(name.replace("_", "-"), version) for name, version, *_ in names}

    assert {one for one in shipped if one[0] != "hubmirror"} - set(pinned) == set()


def test_lintian_finds_no_error(deb: Path) -> None:
    """Debian's own rules hold."""
    assert "E: " not in run("lintian", "--allow-root", "--fail-on", "error", deb)


def test_the_package_holds_together(root: CleanRoot) -> None:
    """Its files are as they were packed, its plugins' cache included, after a first use."""
    assert root.run("hubmirror", "--version").startswith("hubmirror ")
    assert "    hubmirror " in root.run("/usr/lib/hubmirror/bin/twistd", "--help")
    assert root.run("dpkg", "--verify", "hubmirror") == ""


def test_the_service_is_hardened(root: CleanRoot) -> None:
    """By systemd's own measure, where 0 is the least exposed and 10 the most."""
    unit = root.folder / SERVICE

    run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit)


def test_its_manual_can_be_read(root: CleanRoot) -> None:
    """By the strictest reader; that lines of text are long is a matter of taste."""
    for page in ("man1/hubmirror.1.gz", "man5/hubmirror.toml.5.gz"):
        path = root.folder / "usr/share/man" / page
        found = run("mandoc", "-Tlint", "-Wwarning", path)
        assert found == "", found


def test_shells_complete(root: CleanRoot) -> None:
    """A verb, an option and a value, in each shell."""
    share = root.folder / "usr/share"
    of_bash = share / "bash-completion/completions/hubmirror"
    of_fish = share / "fish/vendor_completions.d/hubmirror.fish"
    of_zsh = share / "zsh/vendor-completions/_hubmirror"

    assert complete_in_bash(of_bash, "cache", "im") == ["import"]
    assert complete_in_bash(of_bash, "serve", "--public-u") == ["--public-url"]
    assert complete_in_bash(of_bash, "serve", "--log-level", "w") == ["warn"]
    listed = run("fish", "-c", f"source {of_fish}; complete -C 'hubmirror serve --log-level w'")
    assert listed.split("\t")[0] == "warn"
    assert run("zsh", "-n", of_zsh) == ""


def test_an_image_comes_through(mirror: Mirror, root: CleanRoot) -> None:
    """By the service's user; an operator then finds it by the command."""
    token = mirror.bearer("hello")
    layer = hello_image().blobs[1].digest

    assert mirror.ask("/v2/hello/manifests/latest", token).status == 200
    assert mirror.ask(f"/v2/hello/blobs/{layer}", token).status == 200
    listed = json.loads(root.run("hubmirror", "cache", "ls", "--json").splitlines()[0])
    assert "library/hello" in json.dumps(listed)


def test_its_data_is_its_own(mirror: Mirror, root: CleanRoot) -> None:
    """Nobody else may look, and it owns nothing else."""
    folder = root.folder / "var/lib/hubmirror"
    owner = folder.stat().st_uid

    assert folder.stat().st_mode & 0o777 == 0o700
    assert owner != 0
    assert {path.stat().st_uid for path in folder.rglob("*")} == {owner}


def test_a_changed_configuration_stays(root: CleanRoot, deb: Path) -> None:
    """An upgrade asks before it takes a new one, and takes none by itself."""
    path = root.folder / "etc/hubmirror/hubmirror.toml"
    changed = path.read_text() + 'log_level = "warn"\n'
    path.write_text(changed)

    install(root, deb)

    assert path.read_text() == changed


def test_purged_it_leaves_nothing(bare: CleanRoot, deb: Path) -> None:
    """Not a file, not a user; removed alone, it leaves configuration and data."""
    before = bare.files()
    install(bare, deb)
    (bare.folder / "var/lib/hubmirror/lock").touch()

    bare.run("dpkg", "--remove", "hubmirror")
    removed = bare.files() - before
    bare.run("dpkg", "--purge", "hubmirror")

    assert {"etc/hubmirror/hubmirror.toml", "var/lib/hubmirror/lock"} <= removed
    assert not any(path.startswith("usr/") for path in removed)
    assert bare.files() - before <= {f"etc/{name}-" for name in ACCOUNTS}
    assert "hubmirror" not in (bare.folder / "etc/passwd").read_text()


def install(root: CleanRoot, deb: Path) -> None:
    """Install it, or again over itself."""
    shutil.copy(deb, root.folder / "root/hubmirror.deb")
    root.run("dpkg", "--install", "--force-confold", "/root/hubmirror.deb")
    (root.folder / "root/hubmirror.deb").unlink()


def complete_in_bash(script: Path, *words: str) -> list[str]:
    """What bash offers for the last of ``words``."""
    line = shlex.join(["hubmirror", *words])
    code = f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _shtab_hubmirror"
    return run("bash", "-c", f'{code}; printf "%s\\n" "${{COMPREPLY[@]}}"').split()


def service_of(root: CleanRoot) -> configparser.SectionProxy:
    """The unit's section of the service; of a key that recurs, the last."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(root.folder / SERVICE)
    return unit["Service"]
