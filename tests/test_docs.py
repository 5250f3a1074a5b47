"""The documents say what is so: options, dependencies, the map of the package, links."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from hubmirror.config.settings import CONFIG_FILE, SETTINGS, Setting
from hubmirror.control.operations import NAMES as OPERATIONS
from tests.test_imports import MODULES, ROOMS, imported, room_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "hubmirror"
README = ROOT / "README.md"
MAP = ROOT / "docs" / "architecture.md"
DOCUMENTS = sorted(path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))

_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TREE = re.compile(r"^```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TREE_LINE = re.compile(r"( *)(\S+)(?: {2,}(\S.*))?")
_MODULE = re.compile(r"\b\w+\.py\b")
_QUOTED_PATH = re.compile(r"`(\w[\w./]*(?:\.py|/))`")
_QUOTED_KEY = re.compile(r"`([a-z]+(?:_[a-z0-9]+)+)(?: = [^`]*)?`")
_COMMAND = re.compile(r"\bhubmirror (cache )?([a-z]+)\b")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
#: A threat, and what the last cell of its row holds; a test in it.
_ROW = re.compile(r"^\| (\*\*[^|]+?) \|.*\| (.+?) \|$", re.MULTILINE)
_TEST = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")
_QUOTED_CALL = re.compile(r"`(?:(\w+)\.)?(\w+)\(\)`")


def row_of(setting: Setting) -> str:
    """The row that ``setting`` has in the README's table of options."""
    if setting.is_table:
        return f"| – | – | `{setting.header}` | – | {setting.help} |"  # noqa: RUF001
    default = setting.default
    written = ",".join(default) if isinstance(default, list) else str(default)
    key = "–" if setting is CONFIG_FILE else f"`{setting.name}`"  # noqa: RUF001 - a dash is meant
    shown = f"`{written}`" if written else "–"  # noqa: RUF001
    return f"| `{setting.flag}` | `{setting.variable}` | {key} | {shown} | {setting.help} |"


def headings_of(document: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", _BLOCK.sub("", document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def names_in_tree(text: str) -> Iterator[str]:
    """The paths that the map's trees name, from the root: ``hubmirror/upstream/url.py``."""
    for tree in _TREE.findall(text):
        folders: list[str] = []
        for line in tree.splitlines():
            match = _TREE_LINE.fullmatch(line)
            assert match is not None, line
            depth = len(match[1]) // 2
            del folders[depth:]
            yield "".join((*folders, match[2]))
            if match[2].endswith("/"):
                folders.append(match[2])
            yield from ("".join((*folders, name)) for name in _MODULE.findall(match[3] or ""))


def folders_in_use() -> set[str]:
    """The folders with modules that ``twistd hubmirror`` or ``hubmirror`` imports."""
    pending = [PACKAGE / "tap.py", PACKAGE / "__main__.py", *PACKAGE.glob("cli/*.py")]
    modules: set[Path] = set()
    while pending:
        module = pending.pop()
        if module in modules or not module.is_file():
            continue
        modules.add(module)
        for name in imported(module.read_text()):
            path = ROOT.joinpath(*name.split("."))
            pending += [path.with_suffix(".py"), path.parent.with_suffix(".py")]
    return {f"{module.parent.relative_to(ROOT).as_posix()}/" for module in modules}


def defined_names() -> set[tuple[str | None, str]]:
    """All functions of the package, each with its class, or None."""
    names: set[tuple[str | None, str]] = set()
    for module in PACKAGE.rglob("*.py"):
        for node in ast.parse(module.read_text()).body:
            members = node.body if isinstance(node, ast.ClassDef) else [node]
            owner = node.name if isinstance(node, ast.ClassDef) else None
            names |= {
                (owner, member.name)
                for member in members
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return names


@cache
def functions_of(module: Path) -> frozenset[str]:
    """The functions of a file, none where it is missing."""
    nodes = ast.walk(ast.parse(module.read_text())) if module.is_file() else ()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in nodes if isinstance(node, kinds))


@pytest.mark.parametrize("setting", [CONFIG_FILE, *SETTINGS], ids=lambda one: str(one.name))
def test_each_option_has_its_row(setting: Setting) -> None:
    """Flag, variable, key, default and help stand in the README as in the table of settings."""
    assert row_of(setting) in README.read_text().splitlines()


def test_the_readme_has_no_other_options() -> None:
    """A row whose option is gone goes, too."""
    begins = ("| `--", "| – ")  # noqa: RUF001
    rows = {line for line in README.read_text().splitlines() if line.startswith(begins)}

    assert rows == {row_of(setting) for setting in (CONFIG_FILE, *SETTINGS)}


def test_each_dependency_has_its_reason() -> None:
    """``docs/dependencies.md`` tells of what ``pyproject.toml`` asks for, and of nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    required = (*project["dependencies"], *extras["test"], *extras["docs"])
    document = (ROOT / "docs" / "dependencies.md").read_text()

    told = re.findall(r"^\| \[([\w.-]+)\]", document, re.MULTILINE)

    assert sorted(told) == sorted(re.split(r"[^\w.-]", line)[0] for line in required)


def test_each_folder_is_on_the_map() -> None:
    """Who builds a package into the program says in the map what it is for."""
    folders = folders_in_use()

    assert {"hubmirror/cli/", "hubmirror/registry/", "hubmirror/upstream/"} <= folders
    assert folders - set(names_in_tree(MAP.read_text())) == set()


def test_each_module_is_on_the_map() -> None:
    """Whoever adds one says in the map what it is for."""
    named = set(names_in_tree(MAP.read_text()))

    assert [path for path in MODULES if path.name != "__init__.py" and str(path) not in named] == []


def test_the_map_is_in_the_order_of_imports() -> None:
    """Imports point down it, as it says."""
    named = [Path(name) for name in names_in_tree(MAP.read_text())]
    rooms = [room_of(path) for path in named if path.parts[0] == PACKAGE.name and path.parts[1:]]
    on_map = list(dict.fromkeys(room for room in rooms if room in ROOMS))

    assert on_map == list(ROOMS)


def test_the_map_names_what_exists() -> None:
    """Every file and folder of the trees is there."""
    named = list(names_in_tree(MAP.read_text()))

    assert len(named) > len(SETTINGS)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_text_of_the_map_names_what_exists() -> None:
    """So is every path in its text, and every function that a request's way goes through."""
    text = _BLOCK.sub("", MAP.read_text())
    known = defined_names()
    functions = {name for _, name in known}

    paths = _QUOTED_PATH.findall(text)
    calls = _QUOTED_CALL.findall(text)

    assert paths
    assert calls
    assert [one for one in paths if not any((top / one).exists() for top in (ROOT, PACKAGE))] == []
    assert [
        (owner, name)
        for owner, name in calls
        if not ((owner, name) in known if owner else name in functions)
    ] == []


@pytest.mark.parametrize(
    "document", ["README.md", "docs/cache.md", "docs/security.md", "docs/tls.md"]
)
def test_keys_exist(document: str) -> None:
    """A setting that the text names is one."""
    named = set(_QUOTED_KEY.findall(_BLOCK.sub("", (ROOT / document).read_text())))

    assert named
    assert named - {setting.name for setting in SETTINGS} == set()


def test_each_threat_has_tests_that_exist() -> None:
    """The table of the security model: what answers a threat, and what stands against it."""
    rows = _ROW.findall((ROOT / "docs" / "security.md").read_text())
    named = {threat: _TEST.findall(tests) for threat, tests in rows}
    assert len(named) == len(rows) > 20
    assert [threat for threat, tests in named.items() if not tests] == []
    assert [
        f"{module}::{test}"
        for module, test in chain.from_iterable(named.values())
        if test not in functions_of(ROOT / "tests" / module)
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_commands_exist(document: Path) -> None:
    """A command that is shown can be typed."""
    verbs = {path.stem for path in PACKAGE.glob("cli/*.py")}
    code = " ".join(_CODE.findall(_TREE.sub("", (ROOT / document).read_text())))
    commands = _COMMAND.findall(code)

    assert [verb for of_cache, verb in commands if not of_cache and verb not in verbs] == []
    assert [verb for of_cache, verb in commands if of_cache and verb not in OPERATIONS] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_resolve(document: Path) -> None:
    """A relative link leads to a file that is there, and to a heading that it has."""
    text = (ROOT / document).read_text()
    for link in _LINK.findall(_BLOCK.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), link
        assert not anchor or anchor in headings_of(target.read_text()), link
