"""The reference's pages tell of all that there is, and the site has all pages."""

from __future__ import annotations

import json
import re
from pathlib import Path

from docs.building.reference import PAGES, commands_page, http_page, metrics_page, settings_page
from hubmirror.config.settings import SETTINGS
from hubmirror.control.operations import NAMES as OPERATIONS

ROOT = Path(__file__).parent.parent
SITE = ROOT / "mkdocs.yml"


def sections(page: str) -> list[str]:
    """The titles of a page's sections."""
    return re.findall(r"^##+ (.+)$", page, re.MULTILINE)


def test_each_setting_has_a_section() -> None:
    """With its flag, and what needs a restart."""
    page = settings_page()
    titles = [one.header if one.is_table else one.name for one in SETTINGS]
    assert sections(page) == ["config", *titles]
    assert "`--tag-ttl`" in page
    of_data = page.partition("\n## data\n")[2].partition("\n## ")[0]
    assert "needs a restart" in of_data


def test_each_command_has_a_section() -> None:
    """Those of the cache, too, with their arguments."""
    page = commands_page()
    verbs = {path.stem for path in (ROOT / "hubmirror/cli").glob("*.py")} - {"__init__"}
    wanted = {f"hubmirror {verb}" for verb in verbs}
    assert wanted <= set(sections(page))
    assert {"hubmirror cache ls", "hubmirror cache verify"} <= set(sections(page))
    assert len([title for title in sections(page) if "cache" in title]) > len(OPERATIONS) // 2
    assert "| `--print` |" in page


def test_metrics_are_those_of_the_mirror() -> None:
    """With types and labels."""
    page = metrics_page()
    assert "| `hubmirror_requests_total` | counter | `kind`, `outcome` |" in page
    for path in ROOT.glob("etc/prometheus/alerts.yml"):
        used = set(re.findall(r"\bhubmirror_\w+", path.read_text()))
        named = set(re.findall(r"`(hubmirror_\w+)`", page))
        unknown = {one for one in used if not any(one.startswith(name) for name in named)}
        assert {one for one in unknown if not one.startswith("hubmirror_hub_")} == set()


def test_each_endpoint_has_a_section() -> None:
    """As ``/openapi.json`` has them."""
    document = json.loads((ROOT / "hubmirror/monitor/openapi.json").read_text())
    assert sections(http_page()) == [f"GET {path}" for path in document["paths"]]


def test_the_site_has_each_page() -> None:
    """A page that nothing leads to is found by nobody."""
    named = set(re.findall(r": (\S+\.md)$", SITE.read_text(), re.MULTILINE))
    there = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert named == {*there, *PAGES, "readme.md", "changelog.md", "contributing.md"}
