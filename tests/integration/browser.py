"""A real Chromium that speaks to nobody but loopback, and what the tests do with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

__all__ = ["audit", "browser", "dress"]

_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--host-resolver-rules=MAP mirror.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",),
)


@contextmanager
def browser(folder: Path) -> Iterator[Chrome]:
    """Chromium with its profile in ``folder``, which is new."""
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, Service("/usr/bin/chromedriver"))
    try:
        yield driver
    finally:
        driver.quit()


def dress(
    driver: Chrome, *, width: int = 1280, scheme: str = "light", still: bool = True, zone: str = ""
) -> None:
    """The window's ``width`` in CSS pixels, the preferred colour ``scheme``, the time ``zone``."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wishes = {"prefers-color-scheme": scheme}
    wishes["prefers-reduced-motion"] = "reduce" if still else "no-preference"
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": zone})


def audit(driver: Chrome, *rules: str) -> list[str]:
    """What axe finds wrong with the page as it stands: each rule with the elements' HTML.

    It looks at all that it knows of, or at ``rules`` alone.
    """
    driver.execute_script(files("axe_core_python").joinpath("axe.min.js").read_text("utf-8"))
    found: dict[str, Any] = driver.execute_async_script(_AUDIT, list(rules) or None)
    assert "error" not in found, found
    return [
        f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found["violations"]
    ]


_AUDIT = """
const [rules, done] = arguments;
const failed = (error) => done({error: String(error)});
axe.run(document, rules ? {runOnly: rules} : {}).then(done, failed);
"""
