"""Docker Hub's own limit: what it says, who may still pull, when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from hubmirror.errors import TooManyRequests
from hubmirror.naming import Digest, Repository, Tag
from hubmirror.question import BlobRequest, Client, ManifestRequest, Question
from hubmirror.quota import pulls as pulls_module
from hubmirror.quota.pulls import OURS, TOLD, Pulls
from hubmirror.quota.rules import Reserve, Rules
from hubmirror.quota.spender import Spender

HOUR = 3600.0
ANYBODY = Spender("192.0.2.1")
BUILDER = Spender("192.0.2.2", "ci")
ALICE = Spender("192.0.2.3", user="alice")
BUSYBOX = Repository("docker.io", "library/busybox")


class Scene:
    """Pulls, and the time."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.now = 1_000_000.0
        self.pulls = Pulls(rules or Rules(), lambda: self.now)

    def told(self, remaining: int, *, payer: str = OURS, counted: bool = False) -> None:
        """The Hub says: so many of 100 are left."""
        left = f"{remaining};w=21600"
        self.pulls.observe(payer, "100;w=21600", left, "203.0.113.9", has_counted=counted)

    def pull(self, times: int, *, every: float = 0.0, payer: str = OURS) -> None:
        """So many pulls, down to what is then left."""
        for _ in range(times):
            self.now += every
            known = self.pulls.limits().get(payer)
            self.told(known.remaining - 1 if known else 99, payer=payer, counted=True)


def test_what_the_hub_says_is_known_by_payer() -> None:
    """The limit of a user's account is not the mirror's own."""
    scene = Scene()
    scene.pulls.observe(OURS, "100;w=21600", "76;w=21600", "203.0.113.9")
    scene.pulls.observe("alice", "200;w=21600", "0;w=21600", "alice-id")
    ours, hers = scene.pulls.limits().values()
    assert list(scene.pulls.limits()) == [OURS, "alice"]
    assert (ours.limit, ours.remaining, ours.window, ours.source) == (100, 76, 21600, "203.0.113.9")
    assert (hers.limit, hers.remaining, hers.source, hers.seen) == (200, 0, "alice-id", scene.now)


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "76", "76;w=", ";w=21600", "-1;w=21600", "76;w=-1", "7.6;w=21600"),
        *("76;w=21600;x", "76;w=21600\n", "٧٦;w=21600", "76,76;w=21600", "9" * 10 + ";w=1"),
        *("1;w=" + "9" * 8, "NaN;w=1", "0x10;w=1", "76;w=21600, 76;w=60", "1" * 100_000),
    ],
)
def test_malformed_values_say_nothing(value: str | None) -> None:
    """In either field; what was known stays."""
    scene = Scene()
    scene.told(50)
    scene.pulls.observe(OURS, value, "3;w=21600", None)
    scene.pulls.observe(OURS, "100;w=21600", value, None)
    assert scene.pulls.limits()[OURS].remaining == 50


@pytest.mark.parametrize("source", [None, "a" * 129, "a\x1b[31mb", "a\x85b"])
def test_a_source_that_nobody_should_read_is_left_out(source: str | None) -> None:
    """It is shown to people; the numbers hold."""
    scene = Scene()
    scene.pulls.observe(OURS, "100;w=21600", "9;w=21600", source)
    told = scene.pulls.limits()[OURS]
    assert (told.source, told.remaining) == (None, 9)


def test_what_was_said_ends_with_its_window() -> None:
    """Then nobody is refused or spared for it; nor where the clock was set back before it."""
    for step in (21600.0, -1.0):
        scene = Scene(Rules(reserves=(Reserve(50, networks=("ci",)),)))
        scene.told(0)
        with pytest.raises(TooManyRequests):
            scene.pulls.admit(OURS, ANYBODY)
        scene.now += step
        scene.pulls.admit(OURS, ANYBODY)
        assert not scene.pulls.is_low(OURS, ANYBODY)
        assert scene.pulls.exhausted_at(OURS) is None
        assert scene.pulls.limits() == {}


@pytest.mark.parametrize(("remaining", "is_low"), [(11, False), (10, True), (0, True)])
def test_pulls_are_low_from_a_part_of_the_limit_on(remaining: int, is_low: bool) -> None:
    """``spare_below``, of what was said last."""
    scene = Scene(Rules(spare_below=10))
    assert not scene.pulls.is_low(OURS, ANYBODY)
    scene.told(100)
    scene.told(remaining)
    assert scene.pulls.is_low(OURS, ANYBODY) is is_low
    assert not scene.pulls.is_low("alice", ALICE)


def test_spent_pulls_are_the_hubs_to_refuse() -> None:
    """Without reserves nobody is refused here: the Hub may know better by now."""
    scene = Scene()
    scene.told(0)
    scene.pulls.admit(OURS, ANYBODY)


def test_a_reserve_holds_for_the_mirrors_own_pulls() -> None:
    """The last ones are the members'; who is none is told, and when to come again."""
    scene = Scene(Rules(reserves=(Reserve(20, networks=("ci",)), Reserve(10, users=("alice",)))))
    scene.told(31)
    scene.pulls.admit(OURS, ANYBODY)
    assert scene.pulls.is_low(OURS, ANYBODY)  # of what is not reserved, one is left
    assert not scene.pulls.is_low(OURS, BUILDER)
    scene.told(30)
    with pytest.raises(TooManyRequests, match="reserved for other clients") as refused:
        scene.pulls.admit(OURS, ANYBODY)
    assert refused.value.headers == {"Retry-After": "60"}
    scene.pulls.admit(OURS, BUILDER)
    scene.pulls.admit(OURS, ALICE)
    scene.told(10)
    with pytest.raises(TooManyRequests):
        scene.pulls.admit(OURS, BUILDER)
    scene.told(20)
    with pytest.raises(TooManyRequests):
        scene.pulls.admit(OURS, ALICE)


def test_a_users_own_pulls_are_reserved_for_nobody_else() -> None:
    """They are the user's."""
    scene = Scene(Rules(reserves=(Reserve(90, networks=("ci",)),)))
    scene.told(20, payer="alice")
    scene.pulls.admit("alice", ALICE)
    assert not scene.pulls.is_low("alice", ALICE)


def test_pulls_that_run_out_before_the_window_ends() -> None:
    """60 in the last hour: 39 more take 39 minutes."""
    scene = Scene()
    scene.pull(61, every=60)
    left = scene.pulls.limits()[OURS].remaining
    assert left == 39
    end = scene.pulls.exhausted_at(OURS)
    assert end == pytest.approx(scene.now + 39 * 60, abs=60)


def test_pulls_that_last() -> None:
    """To the end of the window, though not for ever."""
    scene = Scene()
    scene.pull(3, every=1500)
    assert scene.pulls.exhausted_at(OURS) is None


def test_the_rate_is_of_the_last_hour() -> None:
    """What was pulled before says nothing of the present."""
    scene = Scene()
    scene.pull(80, every=10)
    assert scene.pulls.exhausted_at(OURS) is not None
    scene.now += HOUR
    assert scene.pulls.exhausted_at(OURS) is None


def test_a_few_pulls_at_once_are_no_rate() -> None:
    """An image is two or three: a mirror that has just begun to pull does not cry wolf."""
    scene = Scene()
    scene.pull(3)
    end = scene.pulls.exhausted_at(OURS)
    assert end == pytest.approx(scene.now + 97 * 200)


def test_only_what_counted_makes_a_rate() -> None:
    """A HEAD tells what is left, and costs nothing."""
    scene = Scene()
    for remaining in range(90, 80, -1):
        scene.told(remaining)
    assert scene.pulls.exhausted_at(OURS) is None


def test_spent_pulls_have_run_out() -> None:
    """Since the Hub said so."""
    scene = Scene()
    scene.told(0)
    seen = scene.now
    scene.now += 100
    assert scene.pulls.exhausted_at(OURS) == seen


def test_each_payer_has_a_rate_of_its_own() -> None:
    """A user's pulls cost the mirror nothing."""
    scene = Scene()
    scene.told(50)
    scene.pull(80, every=10, payer="alice")
    assert scene.pulls.exhausted_at(OURS) is None
    assert scene.pulls.exhausted_at("alice") is not None
    assert scene.pulls.exhausted_at("nobody") is None


def test_users_are_forgotten_and_ourselves_never(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: who was heard of least recently goes."""
    monkeypatch.setattr(pulls_module, "PAYERS", 3)
    scene = Scene()
    for payer in (OURS, "a", "b", "c", "a", "d", "e"):
        scene.told(50, payer=payer)
    assert list(scene.pulls.limits()) == [OURS, "a", "d", "e"]


def question(subject: Any) -> Question:
    """A client's question."""
    return Question("GET", subject, Client("192.0.2.1", "http://a"))


def test_pulls_are_told_with_client_and_image() -> None:
    """The latest first, and not for ever."""
    scene = Scene()
    digest = Digest("sha256", "0" * 64)
    for reference in (Tag("old"), Tag("1.0"), digest):
        scene.now += 1
        scene.pulls.counted(BUILDER, question(ManifestRequest(BUSYBOX, reference)))
    latest = scene.pulls.latest()
    assert [pull.image for pull in latest] == [
        f"library/busybox@{digest}",
        "library/busybox:1.0",
        "library/busybox:old",
    ]
    assert (latest[0].at, latest[0].spender) == (scene.now, BUILDER)
    for _ in range(TOLD):
        scene.pulls.counted(ANYBODY, question(ManifestRequest(BUSYBOX, Tag("new"))))
    assert {pull.image for pull in scene.pulls.latest()} == {"library/busybox:new"}
    assert len(scene.pulls.latest()) == TOLD


def test_only_manifests_are_pulled() -> None:
    """Anything else is a mistake of ours."""
    with pytest.raises(TypeError):
        Scene().pulls.counted(ANYBODY, question(BlobRequest(BUSYBOX, Digest("sha256", "0" * 64))))
