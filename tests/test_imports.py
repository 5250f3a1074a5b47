"""The house's own rules: imports point one way, and each module has its test file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(path.relative_to(ROOT) for path in (ROOT / "hubmirror").rglob("*.py"))
PLUGIN = Path("twisted/plugins/hubmirror_plugin.py")

#: From the highest to the lowest: a module imports from its own room and from those below.
ROOMS = (
    "__main__",
    "tap",
    "supervisor",
    "worker",
    "keeper",
    "reports",
    "daemon",
    "accounting",
    "front",
    "service",
    "processes",
    "sites",
    "listeners",
    "certification",
    "https",
    "webhook",
    "cli",
    "demo",
    "doctor",
    "options",
    "monitoring",
    "policy",
    "connecting",
    "admission",
    "storage",
    "config",
    "registry",
    "monitor",
    "control",
    "clients",
    "transport",
    "mirror",
    "access",
    "tokens",
    "fetching",
    "upstream",
    "cache",
    "quota",
    "coordination",
    "question",
    "fields",
    "registries",
    "naming",
    "errors",
)

#: They know of nothing but ``errors``, and only the rooms from ``config`` up know of them.
SIDE_ROOMS = ("activation", "certificates", "datafolder", "greeting", "logs", "notifying")

#: Modules without a test file of their own, and why.
UNTESTED = {
    "hubmirror/certificates/acme_failures.py": "a name only",
    "hubmirror/certificates/acme_server.py": "values only",
    "hubmirror/certificates/acme_ways.py": "seen through the client, in test_acme_client.py",
    "hubmirror/__main__.py": "calls the command, which has its own tests",
    "hubmirror/cache/importing.py": "test_archive.py reads back what it wrote",
    "hubmirror/cache/interfaces.py": "names only",
    "hubmirror/cache/reports.py": "values only",
    "hubmirror/cache/surveying.py": "test_archive.py reads back what it wrote",
    "hubmirror/config/settled.py": "values only",
    "hubmirror/cli/operating/command.py": "seen through the commands, in test_cache.py",
    "hubmirror/cli/describing/__main__.py": "writes files, of which tests/packaging reads each",
    "hubmirror/cli/operating/failures.py": "a name only",
    "hubmirror/clients/files.py": "values only",
    "hubmirror/doctor/findings.py": "values only; test_report.py has the worst of them",
    "hubmirror/doctor/outside.py": "seen through the command, in tests/cli/test_doctor.py",
    "hubmirror/quota/rules.py": "values only",
    "hubmirror/front.py": "seen through tests/integration/test_workers.py, and rights and quota",
    "hubmirror/keeper.py": "a process of its own, in tests/integration/test_workers.py",
    "hubmirror/registry/at_hand.py": "seen through the workers",
    "hubmirror/service.py": "seen through the daemon",
    "hubmirror/worker.py": "a process of its own, in tests/integration/test_workers.py",
    "hubmirror/monitoring.py": "put together in test_tap.py, and seen through the daemon",
    "hubmirror/control/channel.py": "seen through the site",
    "hubmirror/demo/__main__.py": "test_main.py runs it as a process",
    "hubmirror/demo/accounts.py": "seen through the token server's and the registry's answers",
    "hubmirror/demo/content.py": "seen through the registry's answers",
    "hubmirror/demo/errors.py": "seen through the registry's answers",
    "hubmirror/demo/front.py": "seen through the registry's answers",
    "hubmirror/demo/host.py": "seen through each of the Hub's hosts",
    "hubmirror/demo/hub.py": "every test of the demo starts one",
    "hubmirror/demo/pulls.py": "seen through the registry's headers",
    "hubmirror/demo/sending.py": "seen through the blob host's answers",
    "hubmirror/demo/store.py": "an interface and its memory form, seen through the registry",
}


def imported(source: str) -> Iterator[str]:
    """The dotted names of all that ``source`` imports, within functions, too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names)


def room_of(module: Path) -> str:
    """The room that holds ``hubmirror/ROOM.py`` or ``hubmirror/ROOM/….py``."""
    return module.with_suffix("").parts[1]


def may_import(room: str, other: str) -> bool:
    """Whether a module of ``room`` may import from ``other``."""
    if room == other:
        return True
    if room in SIDE_ROOMS:
        return other == "errors"
    if other in SIDE_ROOMS:
        return ROOMS.index(room) <= ROOMS.index("config")
    return ROOMS.index(room) < ROOMS.index(other)


def trespasses(room: str, source: str) -> list[str]:
    """The imports of ``source``, a module of ``room``, that the rules don't allow."""
    names = list(imported(source))
    own = [name.split(".") for name in names if name.startswith("hubmirror.")]
    return [
        *(".".join(parts) for parts in own if not may_import(room, parts[1])),
        *(name for name in names if name.startswith(".")),
        *(name for name in names if name == "twisted.internet.reactor" and room != "tap"),
    ]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_a_place(module: Path) -> None:
    """A new room is put into the order before it is built."""
    assert room_of(module) in (*ROOMS, *SIDE_ROOMS, "__init__")


@pytest.mark.parametrize(
    "module", [path for path in MODULES if room_of(path) != "__init__"], ids=str
)
def test_imports_point_one_way(module: Path) -> None:
    """From higher rooms to lower ones, by full names; the reactor only into ``tap``."""
    assert trespasses(room_of(module), (ROOT / module).read_text()) == []


def test_the_package_itself_imports_nothing() -> None:
    """Whoever imports one module does not load others by that."""
    assert list(imported((ROOT / "hubmirror/__init__.py").read_text())) == []


def test_the_plugin_knows_its_maker_alone() -> None:
    """``twistd`` reads all plugins on each start: this one costs it nothing."""
    assert list(imported((ROOT / PLUGIN).read_text())) == [
        "twisted.application.service.ServiceMaker"
    ]


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("quota", "from hubmirror.upstream.client import UpstreamClient"),
        ("errors", "from hubmirror import naming"),
        ("upstream", "import hubmirror.registry.site"),
        ("mirror", "def later():\n    from hubmirror.registry.site import MirrorSite"),
        ("registry", "from hubmirror.logs import make_observer"),
        ("certificates", "from hubmirror.config import Config"),
        ("registry", "from .site import MirrorSite"),
        ("registry", "from . import site"),
        ("daemon", "from twisted.internet import reactor"),
        ("cli", "import twisted.internet.reactor"),
    ],
)
def test_a_trespass_is_noticed(room: str, source: str) -> None:
    """The check itself can fail: upwards, sideways, relative, the reactor."""
    assert len(trespasses(room, source)) == 1


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("registry", "from hubmirror.registry.site import MirrorSite"),
        ("registry", "from hubmirror.errors import BadRequest"),
        ("daemon", "from hubmirror.logs import make_observer"),
        ("certificates", "from hubmirror.errors import HubmirrorError"),
        ("tap", "from twisted.internet import reactor"),
        ("quota", "from twisted.internet import task"),
    ],
)
def test_a_right_import_is_let_be(room: str, source: str) -> None:
    """Within a room, downwards, the reactor in its one place."""
    assert trespasses(room, source) == []


@pytest.mark.parametrize(
    "module", [path for path in MODULES if path.name != "__init__.py"], ids=str
)
def test_each_module_has_its_test_file(module: Path) -> None:
    """``hubmirror/a/b.py`` is tested by ``tests/a/test_b.py``, or says why it is not."""
    test = ROOT.joinpath("tests", *module.parts[1:-1], f"test_{module.name}")
    assert test.is_file() != (module.as_posix() in UNTESTED)


@pytest.mark.parametrize("module", UNTESTED)
def test_exemptions_are_of_modules_that_exist(module: str) -> None:
    """A reason that outlives its module goes."""
    assert Path(module) in MODULES
