"""The page at ``/`` in a real Chromium, over made-up figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.integration.browser import audit, browser, dress
from tests.integration.figures import (
    HOSTILE,
    TOKEN,
    FakeMirror,
    busier,
    figures,
    quiet_history,
    serving,
    states,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

DESKTOP, PHONE = 1280, 360


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One for all tests here."""
    with browser(tmp_path_factory.mktemp("chromium") / "profile") as driver:
        yield driver


@pytest.fixture
def mirror() -> Iterator[FakeMirror]:
    """On a port of its own, so that its page is another origin than any before."""
    with serving() as served:
        yield served


@pytest.fixture
def page(chromium: Chrome, mirror: FakeMirror) -> Iterator[Page]:
    """Not opened yet, on a desktop."""
    dress(chromium)
    chromium.get_log("browser")
    yield Page(chromium, mirror.url)
    chromium.get("about:blank")


class Page:
    """The page as a person finds it."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self, shown: str = "figures") -> None:
        """Load it, and wait until the part ``shown`` has what it will have."""
        self.driver.get(self.url)
        wait_until(lambda: self.is_shown(shown), shown, context=self.problems)
        if shown == "figures":
            wait_until(lambda: self.text("day-title") != "Today", "figures", context=self.problems)
            wait_until(lambda: self.all("#requests tbody tr"), "the history")

    def find(self, selector: str) -> WebElement:
        """The one element."""
        (found,) = self.all(selector)
        return found

    def all(self, selector: str) -> list[WebElement]:
        """Every such element, shown or not."""
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def text(self, name: str) -> str:
        """What an element tells, with plain spaces."""
        return str(
            self.run("return document.getElementById(arguments[0]).textContent", name)
        ).replace("\N{NO-BREAK SPACE}", " ")

    def is_shown(self, name: str) -> bool:
        """Whether a person sees it."""
        return any(element.is_displayed() for element in self.all(f"#{name}"))

    def waits_for(self, name: str, words: str) -> None:
        """Until the element tells ``words``."""
        wait_until(
            lambda: words in self.text(name),
            f"{words!r} in #{name}",
            context=lambda: f"{self.text(name)!r}\n{self.problems()}",
        )

    def run(self, script: str, *arguments: object) -> Any:
        """What ``script`` returns, as a function's body."""
        return self.driver.execute_script(script, *arguments)

    def problems(self) -> str:
        """What the browser complains about, a refused resource apart."""
        told = [entry["message"] for entry in self.driver.get_log("browser")]
        return "\n".join(one for one in told if "Failed to load resource" not in one)

    def boxes(self) -> list[dict[str, float]]:
        """Where each card is, and how large."""
        found: list[dict[str, float]] = self.run(
            "return [...document.querySelectorAll('.card, .facts dd, #verdict')]"
            ".map((node) => node.getBoundingClientRect().toJSON())"
        )
        return found


def is_faultless(page: Page, shown: str) -> None:
    """In every look: axe finds nothing, nothing is wider than the window, nobody complains."""
    for width in (DESKTOP, PHONE):
        dress(page.driver, width=width)
        page.open(shown)
        assert audit(page.driver) == [], width
        dress(page.driver, width=width, scheme="dark")  # other colours, and nothing else
        assert audit(page.driver, "color-contrast") == [], width
        assert page.run("return document.documentElement.scrollWidth") <= width
    assert page.problems() == ""


@pytest.mark.parametrize("state", states())
def test_every_state_is_faultless(page: Page, mirror: FakeMirror, state: str) -> None:
    """Whatever the figures are."""
    mirror.tell(states()[state])
    if state == "empty":
        mirror.history = quiet_history()

    is_faultless(page, "figures")


@pytest.mark.parametrize(("status", "shown"), [(401, "refused"), (403, "refused"), (404, "absent")])
def test_without_figures_there_is_the_setup(
    page: Page, mirror: FakeMirror, status: int, shown: str
) -> None:
    """It says why there are none, and is faultless, too."""
    mirror.status = status

    is_faultless(page, shown)

    assert not page.is_shown("figures")
    assert page.is_shown("setup-docker")
    assert mirror.url in page.find("#setup-docker").text


def test_tells_the_day_at_a_glance(page: Page) -> None:
    """How much is spent, how it ends, what was saved, what the Hub leaves."""
    page.open()

    headlines = [one.text.replace("\N{NO-BREAK SPACE}", " ") for one in page.all(".headline")]
    assert [" ".join(line.split()) for line in headlines] == [
        "62 % of the day spent ends at 71 %",
        "93 %",
        "76 of 100 left",
        "Up",
    ]
    assert page.text("day-count") == "62,140 of 100,000"
    assert page.text("pulls-saved") == "10,340"
    assert page.driver.title.startswith("62\N{NO-BREAK SPACE}%")


@pytest.mark.parametrize(
    ("state", "level", "words"),
    [
        ("empty", "ok", "All is well"),
        ("busy", "warn", "alice's pulls from Docker Hub run out at this rate."),
        ("spent", "bad", "only what is kept is served"),
        ("down", "bad", "Upstream has been down since"),
    ],
)
def test_says_in_words_how_it_stands(
    page: Page, mirror: FakeMirror, state: str, level: str, words: str
) -> None:
    """In one line at the top, that screen readers read out when it changes."""
    mirror.tell(states()[state])
    page.open()

    verdict = page.find("#verdict")
    assert words in verdict.text
    assert verdict.get_attribute("data-level") == level
    assert verdict.get_attribute("role") == "status"


def test_the_public_sees_no_names(page: Page, mirror: FakeMirror) -> None:
    """What is not told has no place; the numbers have."""
    mirror.tell(states()["public"])
    page.open()

    for hidden in ("repositories", "clients", "networks", "users", "reserves", "pulls"):
        assert not page.is_shown(hidden)
    assert page.text("hub-left") == "76"
    assert len(page.all("#fetch-list li")) == 2


def test_names_are_never_markup(page: Page, mirror: FakeMirror) -> None:
    """Of images, clients, networks, users, reserves, hosts, and an upstream's message."""
    mirror.tell(states()["hostile"])
    page.open()

    assert page.all("img") == []
    assert len(page.all("script")) == 1
    assert page.run("return document.body.dataset.pwned ?? null") is None
    for place in ("repositories", "clients", "networks", "users", "reserves", "payers", "pulls"):
        assert HOSTILE in page.text(place)
    for place in ("fetches", "verdict", "outages"):
        assert HOSTILE in page.text(place)


def test_is_live(page: Page, mirror: FakeMirror) -> None:
    """What is told is shown, without another request."""
    page.open()
    page.waits_for("link-text", "live")
    asked = list(mirror.asked)

    mirror.tell(busier())
    page.waits_for("day-count", "99,871 of 100,000")

    assert len(page.all("#fetch-list li")) == 3
    assert mirror.asked == asked
    assert "/quota" not in asked


def test_nothing_moves_when_figures_change(page: Page, mirror: FakeMirror) -> None:
    """At either width; and screen readers are told nothing, for nothing happened."""
    for width in (DESKTOP, PHONE):
        mirror.tell(figures())
        dress(page.driver, width=width)
        page.open()
        page.run(
            "window.said = 0; const node = document.getElementById('verdict');"
            "new MutationObserver(() => window.said++).observe(node,"
            " {childList: true, characterData: true, subtree: true})"
        )
        before = page.boxes()
        told = busier()
        if width == PHONE:  # there a list is as long as what it holds
            told["clients"] = figures()["clients"]

        mirror.tell(told)
        page.waits_for("day-count", "99,871")

        assert page.boxes() == before
        assert page.run("return window.said") == 0


def test_asks_where_streams_do_not_get_through(page: Page, mirror: FakeMirror) -> None:
    """Every few seconds, and says so."""
    mirror.is_streaming = False
    page.open()

    assert page.text("link-text") == "every 5 s"
    assert "/quota" in mirror.asked

    mirror.tell(busier())
    page.waits_for("day-count", "99,871")


def test_asks_where_a_proxy_holds_the_stream_back(page: Page, mirror: FakeMirror) -> None:
    """A stream of which nothing comes within five seconds is none."""
    mirror.is_held_back = True
    page.open()

    assert page.text("link-text") == "every 5 s"
    assert page.text("day-count") == "62,140 of 100,000"


def test_rests_while_nobody_looks(page: Page, mirror: FakeMirror) -> None:
    """In a tab behind another; and is up to date as soon as somebody does."""
    page.open()
    page.waits_for("link-text", "live")
    page.run(
        "window.away = true;"
        "Object.defineProperty(document, 'hidden', {get: () => window.away});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    wait_until(lambda: mirror.listeners == 0, "the stream's end")
    mirror.tell(busier())
    assert page.text("day-count") == "62,140 of 100,000"

    page.run("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.waits_for("day-count", "99,871")


def test_comes_back_after_a_loss(page: Page, mirror: FakeMirror) -> None:
    """The last figures stay meanwhile, with a word that they are old."""
    page.open()
    mirror.status = 500
    mirror.hang_up()
    page.waits_for("verdict", "The mirror has not answered since")
    assert page.text("link-text") == "no answer"
    assert page.text("day-count") == "62,140 of 100,000"

    mirror.status = 200
    mirror.pick_up()
    page.waits_for("link-text", "live")
    assert "not answered" not in page.text("verdict")


def test_asks_the_operator_for_the_token(page: Page, mirror: FakeMirror) -> None:
    """A wrong one is told; the right one opens the figures, and is nowhere but in this tab."""
    mirror.token = TOKEN
    page.open("refused")
    page.find("#token").send_keys("wrong", Keys.ENTER)
    page.waits_for("token-note", "does not know this token")

    page.find("#token").send_keys(TOKEN, Keys.ENTER)
    wait_until(lambda: page.is_shown("figures"), "figures")
    page.waits_for("link-text", "live")

    assert page.run("return Object.values(sessionStorage)") == [TOKEN]
    assert page.run("return [localStorage.length, document.cookie, location.search]") == [0, "", ""]
    assert not [path for path in mirror.asked if TOKEN in path]
    page.driver.refresh()
    page.waits_for("link-text", "live")

    page.find("#forget").click()
    wait_until(lambda: page.is_shown("refused"), "the form")
    assert page.run("return sessionStorage.length") == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "mirror.test"])
@pytest.mark.parametrize("client", ["docker", "containerd", "podman", "k3s", "buildkit"])
def test_a_button_copies_the_setup(page: Page, mirror: FakeMirror, host: str, client: str) -> None:
    """Also over plain HTTP from another machine, where browsers give a page no clipboard."""
    mirror.status = 403
    page.url = mirror.url.replace("127.0.0.1", host)
    page.open("refused")
    assert page.run("return isSecureContext") is (host == "127.0.0.1")

    button = page.find(f"[data-copy={client}]")
    button.send_keys(Keys.ENTER)
    wait_until(lambda: button.text == "Copied", "copied")
    page.find("#token").send_keys(Keys.CONTROL, "v")

    pasted = str(page.find("#token").get_property("value"))
    expected = str(page.run(f"return document.getElementById('setup-{client}').textContent"))
    assert pasted.split() == expected.split() or pasted == expected.replace("\n", "")
    assert "is copied" in page.text("copied")


def test_links_to_an_image_as_a_file(page: Page, mirror: FakeMirror) -> None:
    """One for each platform, whoever may see the figures; two of one platform by their digests."""
    mirror.status = 403
    digests = [f"sha256:{number:064x}" for number in range(3)]
    names = ("linux/amd64", "windows/amd64", "windows/amd64")
    platforms = [
        {"platform": name, "digest": digest} for name, digest in zip(names, digests, strict=True)
    ]
    mirror.images["/image/team/app%3A1.json"] = (200, {"platforms": platforms})
    page.open("refused")

    page.find("#file-name").send_keys(" team/app:1 ", Keys.ENTER)
    wait_until(lambda: page.all("#file-links a"), "links", context=page.problems)

    assert [link.text for link in page.all("#file-links a")] == list(names)
    assert [link.get_attribute("href") for link in page.all("#file-links a")] == [
        f"{mirror.url}/image/team/app%3A1.tar?platform=linux/amd64",
        *(f"{mirror.url}/image/team/app%40{one.replace(':', '%3A')}.tar" for one in digests[1:]),
    ]
    assert audit(page.driver) == []


def test_says_why_there_is_no_such_file(page: Page, mirror: FakeMirror) -> None:
    """In the mirror's own words, as text."""
    told = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": HOSTILE}]}
    mirror.images["/image/nothing.json"] = (404, told)
    page.open()

    page.find("#file-name").send_keys("nothing", Keys.ENTER)

    page.waits_for("file-note", HOSTILE)
    assert page.all("#file-links a") == []
    assert page.all("img") == []


def test_the_monitors_own_listener_has_no_setup(chromium: Chrome) -> None:
    """For nobody pulls by it; the figures are there."""
    dress(chromium)
    with serving(page_url=None) as mirror:
        page = Page(chromium, mirror.url)
        page.open()
        assert not page.all("#setup")
        assert page.problems() == ""
        chromium.get("about:blank")


def test_times_are_the_readers_own(page: Page) -> None:
    """The day is UTC's, and ends there at nine in the morning."""
    dress(page.driver, zone="Asia/Tokyo")
    page.open()

    assert page.text("day-reset").endswith("09:00")
    assert page.text("day-title").endswith("UTC")


def test_charts_are_tables_too(page: Page) -> None:
    """Every hour, the latest first; and the picture says its sums."""
    page.open()
    page.find("#requests summary").send_keys(Keys.ENTER)

    assert [cell.text for cell in page.all("#requests th")] == [
        *("Hour", "Hit", "Stale", "Miss", "Refused", "Error")
    ]
    assert len(page.all("#requests tbody tr")) == 24
    assert audit(page.driver) == []
    assert "hit 42,900" in str(page.find("#requests svg").get_attribute("aria-label"))


def test_an_hour_is_told_under_the_pointer(page: Page) -> None:
    """In the legend, which does not move."""
    page.open()
    before = page.boxes()
    assert "24 hours\n46,599" in page.find("#requests .legend").text

    page.run(
        "const plot = document.querySelector('#requests .plot');"
        "const box = plot.querySelector('svg').getBoundingClientRect();"
        "plot.dispatchEvent(new PointerEvent('pointermove',"
        " {clientX: box.left + 10.5 * box.width / 24, clientY: box.top + 5}))"
    )

    assert "Hit\n4,290" in page.find("#requests .legend").text
    assert page.boxes() == before


def test_keys_reach_all_and_show_where_they_are(page: Page, mirror: FakeMirror) -> None:
    """The form first, then each button."""
    mirror.status = 403
    page.open("refused")
    page.run("document.activeElement.blur()")

    reached = []
    for _ in range(10):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        told = page.run(
            "const node = document.activeElement, name = node.id || node.dataset.copy || node.type;"
            "return [name, getComputedStyle(node).outlineStyle]"
        )
        assert told[1] == "solid"
        reached.append(told[0])

    assert reached == [
        *("token", "submit", "docker", "containerd", "podman", "k3s", "buildkit", "none"),
        *("file-name", "submit"),
    ]


def test_moves_only_for_who_likes_it(page: Page) -> None:
    """Bars glide, or else jump."""
    glides = "return getComputedStyle(document.getElementById('gauge-used')).transitionDuration"
    for still, seconds in ((False, "0.4s"), (True, "0s")):
        dress(page.driver, still=still)
        page.open()
        assert page.run(glides) == seconds


def test_asks_nobody_else(page: Page, mirror: FakeMirror) -> None:
    """All comes from the mirror itself."""
    page.open()

    loaded = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded
    assert all(name.startswith((f"{mirror.url}/quota", "data:")) for name in loaded)


def test_without_scripts_there_is_the_setup(page: Page, mirror: FakeMirror) -> None:
    """No button that would do nothing, and a word about the figures."""
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.driver.get(page.url)
        shown = page.find("body").text
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    assert f'"registry-mirrors": [\n    "{mirror.url}"' in shown
    assert "The figures need JavaScript" in shown
    assert "Copy" not in shown
    assert "Hit ratio" not in shown
