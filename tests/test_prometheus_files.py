"""The files in ``etc`` for Prometheus and Grafana: valid, and about metrics that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.monitor.scrape import full_edge, metrics_of
from tests.support.programs import run

ETC = Path(__file__).parent.parent / "etc"
FOLDER = ETC / "prometheus"


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    """Grafana's dashboard."""
    loaded: dict[str, Any] = json.loads((ETC / "grafana.json").read_text())
    return loaded


def targets(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All that its panels ask."""
    for panel in dashboard["panels"]:
        yield from panel.get("targets", ())


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """The same as Prometheus gets it."""
    return [one["expr"].replace("$__rate_interval", "5m") for one in targets(dashboard)]


def metrics_in(text: str) -> set[str]:
    """The names of metrics of ours, and of the process, that stand in ``text``."""
    return set(re.findall(r"\b(?:hubmirror|process)_\w+", text))


def exposed() -> set[str]:
    """The names that ``/metrics`` has."""
    return {series.partition("{")[0] for series in metrics_of(full_edge()).values()}


def test_the_dashboards_metrics_exist(dashboard: dict[str, Any]) -> None:
    """A metric that is renamed takes its panels along."""
    asked = set[str]().union(*map(metrics_in, expressions(dashboard)))
    assert len(asked) > 20
    assert asked - exposed() == set()


def test_every_metric_is_on_the_dashboard(dashboard: dict[str, Any]) -> None:
    """Or is there for a reason that needs no panel."""
    shown = set[str]().union(*map(metrics_in, expressions(dashboard)))
    ours = {name for name in exposed() if name.startswith("hubmirror_")}
    parts = {f"hubmirror_request_duration_seconds_{part}" for part in ("count", "sum")}
    of_the_hub = {f"hubmirror_hub_{name}" for name in ("window_seconds", "seen_timestamp_seconds")}
    assert ours - shown == parts | of_the_hub


def test_the_dashboards_expressions_parse(dashboard: dict[str, Any], tmp_path: Path) -> None:
    """As rules, each by itself."""
    asked = expressions(dashboard)
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(asked)} rules found" in run("promtool", "check", "rules", file)


def test_the_dashboard_uses_its_variables(dashboard: dict[str, Any]) -> None:
    """Any data source and any mirror can be chosen, and every panel follows."""
    variables = {one["name"]: one for one in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert metrics_in(variables["instance"]["query"]["query"]) <= exposed()
    for target in targets(dashboard):
        assert target["datasource"]["uid"] == "${datasource}"
        selectors = re.findall(r"(?:hubmirror|process)_\w+(\{[^}]*\})?", target["expr"])
        assert all('instance=~"$instance"' in selector for selector in selectors)


def test_the_dashboards_panels_lie_side_by_side(dashboard: dict[str, Any]) -> None:
    """None over another, each with an id of its own."""
    panels = dashboard["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_alerts() -> None:
    """Prometheus takes them, and they do what their tests say."""
    assert "SUCCESS" in run("promtool", "check", "rules", FOLDER / "alerts.yml")
    assert "SUCCESS" in run("promtool", "test", "rules", FOLDER / "alerts_test.yml")


def test_the_alerts_metrics_exist() -> None:
    """An alert on a name that nobody has would never fire."""
    for name in ("alerts.yml", "alerts_test.yml"):
        asked = metrics_in((FOLDER / name).read_text())
        assert len(asked) > 10
        assert asked - exposed() == set()


def test_every_alert_is_tested() -> None:
    """Once that it fires, and once that it does not."""
    alerts = re.findall(r"alert: (\w+)", (FOLDER / "alerts.yml").read_text())
    tests = (FOLDER / "alerts_test.yml").read_text()
    assert len(alerts) > 10
    for alert in alerts:
        assert re.search(rf"- alertname: {alert}\n +eval_time: \w+\n +exp_alerts:", tests), alert
        assert re.search(rf"alertname: {alert}, eval_time: \w+}}", tests), alert


def test_the_configuration() -> None:
    """Prometheus starts with it, and finds the alerts."""
    printed = run("promtool", "check", "config", FOLDER / "prometheus.yml")
    assert "alerts.yml" in printed
    assert "FAILED" not in printed
