"""The quota as a whole: what it lets through, what it refuses, and what outlives it."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.errors import Denied, NotFound
from hubmirror.naming import Digest, Repository, Tag
from hubmirror.question import (
    BlobRequest,
    Client,
    ManifestRequest,
    Outcome,
    Ping,
    Question,
    Refusal,
)
from hubmirror.quota.accounts import BUSIEST, Dimension, Entry
from hubmirror.quota.books import MemoryBooks
from hubmirror.quota.counters import BYTES_OUT, UPSTREAM_BYTES, Counters
from hubmirror.quota.history import IHistory, MemoryHistory, Step
from hubmirror.quota.kinds import Kind, kind_of
from hubmirror.quota.ledger import FileLedger, ILedger, MemoryLedger
from hubmirror.quota.quota import REMEMBERED, Charge, Quota, ReserveStatus
from hubmirror.quota.rules import ClientLimits, Reserve, Rules
from hubmirror.quota.window import DAY, MINUTE, rfc3339

TODAY = 20454  # 2026-01-01
NOON = (TODAY + 0.5) * DAY
YEAR = 365 * DAY

CI, CI_TWO, PRODUCTION, ANYBODY = "10.1.0.1", "10.1.0.2", "10.2.0.1", "192.0.2.1"
NETWORKS = {"ci": (ip_network("10.1.0.0/16"),), "production": (ip_network("10.2.0.0/16"),)}

MANIFEST = ManifestRequest(Repository("docker.io", "library/busybox"), Tag("latest"))


def question(address: str = ANYBODY) -> Question:
    """``busybox:latest``, asked for from ``address``."""
    return Question("GET", MANIFEST, Client(address, "https://mirror.example"))


class Scene:
    """A quota, the hand on its clock, and what outlives its process."""

    def __init__(self, ledger: ILedger | None = None, **rules: Any) -> None:
        self.now = NOON
        self.tick = 0.0  # what passes with each look at the clock
        self.warned: list[int] = []
        self.ledger: ILedger = ledger or MemoryLedger()
        self.history: IHistory = MemoryHistory()
        self.books = MemoryBooks()
        self.quota = self._begin(Rules(networks=NETWORKS, **rules))

    def time(self) -> float:
        """The wall clock."""
        self.now += self.tick
        return self.now

    def restart(self, **rules: Any) -> None:
        """A new process, which finds what the last one had written when it ended well."""
        self.quota.settle()
        self.save()
        self.quota = self._begin(evolve(self.quota.rules, **rules))

    def save(self) -> None:
        """What is done every few seconds."""
        for day, entries in self.quota.take_changes():
            self.books.save(day, entries)

    def ask(self, times: int = 1, address: str = ANYBODY, user: str | None = None) -> int:
        """Ask ``times`` times; how many may go upstream."""
        return sum(self.charge(address, user).refusal is None for _ in range(times))

    def charge(self, address: str = ANYBODY, user: str | None = None) -> Charge:
        """Ask once."""
        return self.quota.admit(question(address), user)

    def refusal(self, address: str = ANYBODY, user: str | None = None) -> str:
        """Ask once; why that may not be."""
        refusal = self.charge(address, user).refusal
        assert refusal is not None
        return refusal.message

    def entry(self, dimension: Dimension, name: str) -> Entry:
        """What is told of ``name`` today."""
        return next(one for one in self.quota.top(dimension, 100) if one.name == name)

    def _begin(self, rules: Rules) -> Quota:
        return Quota(rules, self.ledger, self.history, self.books, self.time, self.warned.append)


@pytest.fixture(params=["memory", "file"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ILedger]:
    """A ledger of either kind."""
    made: ILedger = MemoryLedger()
    if request.param == "file":
        made = FileLedger(tmp_path / "quota.ledger")
    yield made
    made.close()


class TestWindows:
    """The day and the minute, whatever the clock does."""

    def test_the_day_lets_exactly_so_many_through(self, ledger: ILedger) -> None:
        """From midnight to midnight UTC."""
        scene = Scene(ledger, per_day=100)
        assert scene.ask(150) == 100
        assert (scene.quota.day().used, scene.quota.day().remaining) == (100, 0)
        scene.now = (TODAY + 1) * DAY - 0.001
        assert scene.ask() == 0
        scene.now = (TODAY + 1) * DAY
        assert scene.ask(150) == 100

    def test_the_minute_lets_exactly_so_many_through(self) -> None:
        """From one full UTC minute to the next."""
        scene = Scene(per_minute=10)
        assert scene.ask(15) == 10
        assert (scene.quota.minute().used, scene.quota.minute().remaining) == (10, 0)
        scene.now = NOON + MINUTE - 0.001
        assert scene.ask() == 0
        scene.now = NOON + MINUTE
        assert scene.quota.minute().used == 0
        assert scene.ask(15) == 10

    def test_both_hold(self) -> None:
        """Whichever is spent first."""
        scene = Scene(per_day=25, per_minute=10)
        taken = []
        for minute in range(4):
            scene.now = NOON + minute * MINUTE
            taken.append(scene.ask(15))
        assert taken == [10, 10, 5, 0]

    def test_without_limits_nothing_is_refused_and_all_is_counted(self) -> None:
        """0 is no limit, and then there is nothing to remain."""
        scene = Scene()
        assert scene.ask(1000) == 1000
        day, minute = scene.quota.day(), scene.quota.minute()
        assert (day.limit, day.used, day.remaining) == (0, 1000, None)
        assert (minute.limit, minute.used, minute.remaining) == (0, 1000, None)
        assert rfc3339(day.reset) == "2026-01-02T00:00:00Z"
        assert rfc3339(minute.reset) == "2026-01-01T12:01:00Z"

    def test_a_restart_gives_nothing_again(self, ledger: ILedger) -> None:
        """Within the minute as well as within the day."""
        scene = Scene(ledger, per_day=100, per_minute=60)
        assert scene.ask(50) == 50
        scene.restart()
        assert (scene.quota.day().used, scene.quota.minute().used) == (50, 50)
        assert scene.ask(50) == 10
        scene.now += MINUTE
        assert scene.ask(50) == 40

    def test_a_kill_gives_nothing_of_the_day_again(self, ledger: ILedger) -> None:
        """The ledger has each request at once; books and history lose what was not saved."""
        scene = Scene(ledger, per_day=100)
        assert scene.ask(60) == 60
        scene.quota = Quota(
            scene.quota.rules, scene.ledger, MemoryHistory(), MemoryBooks(), scene.time
        )
        assert scene.ask(100) == 40

    def test_midnight_under_load_loses_and_doubles_nothing(self, ledger: ILedger) -> None:
        """The clock goes on with every look at it, also in the midst of a request."""
        scene = Scene(ledger, per_day=10_000, reserves=(Reserve(10, ("ci",)),))
        scene.now, scene.tick = (TODAY + 1) * DAY - 0.0125, 0.0000313
        charges = []
        for number in range(800):
            charges.append(scene.charge((CI, ANYBODY)[number % 2]))
            charges[number // 2].moved(1, 2)
            charges[-1].settle(Outcome.HIT)
        days = (TODAY, TODAY + 1)
        assert min(map(ledger.used, days)) > 50
        assert sum(map(ledger.used, days)) == 800
        scene.save()
        kept = [one for day in days for one in scene.books.load(day)]
        addresses = [one for one in kept if one.dimension is Dimension.ADDRESS]
        assert sum(one.requests for one in addresses) == 800
        assert sum(one.bytes_out for one in addresses) == 1600
        rows = [counters for _, counters in scene.quota.tally.rows(Step.DAY, 2)]
        assert Counters.sum(rows).admitted == Counters.sum(rows).requests == 800

    def test_the_minutes_end_under_load(self) -> None:
        """Exactly the limit in each minute: what decides and what is told are of one mind."""
        scene = Scene(per_minute=100)
        scene.now, scene.tick = NOON - 0.01, 0.0000313
        scene.ask(2_000)
        minutes = [counters.admitted for _, counters in scene.quota.tally.rows(Step.MINUTE, 2)]
        assert minutes == [100, 100]

    def test_others_who_count_may_be_ahead_of_the_last_request(self) -> None:
        """What comes from upstream turns the minute, too; the clock may then be set back."""
        scene = Scene(per_minute=10)
        assert scene.ask(7) == 7
        scene.now += MINUTE
        scene.quota.tally.add(UPSTREAM_BYTES, 1)
        scene.now -= MINUTE
        assert scene.ask(7) == 3
        scene.now += MINUTE
        scene.quota.tally.add(UPSTREAM_BYTES, 1)
        assert scene.ask(12) == 10
        minutes = [counters.admitted for _, counters in scene.quota.tally.rows(Step.MINUTE, 2)]
        assert minutes == [10, 10]

    def test_a_clock_that_steps_back_finds_the_earlier_counts(self, ledger: ILedger) -> None:
        """Over midnight and over a minute, there and back again."""
        scene = Scene(ledger, per_day=100, per_minute=30)
        scene.now = (TODAY + 1) * DAY - 1
        assert scene.ask(20) == 20
        scene.now += 2
        assert scene.ask(25) == 25
        scene.now -= 2
        assert (scene.quota.day().used, scene.quota.minute().used) == (20, 20)
        assert scene.ask(30) == 10
        scene.now += 2
        assert (scene.quota.day().used, scene.quota.minute().used) == (25, 25)
        assert scene.ask(30) == 5

    def test_a_clock_that_goes_a_year_ahead_and_back(self, ledger: ILedger) -> None:
        """Each day and each account is as it was left."""
        scene = Scene(ledger, per_day=50, clients=(ClientLimits(requests_per_day=30),))
        assert scene.ask(40) == 30
        scene.now += YEAR
        assert (scene.quota.day().used, scene.ask(40)) == (0, 30)
        scene.save()
        scene.now -= YEAR
        assert (scene.quota.day().used, scene.ask(40)) == (30, 0)
        assert scene.ask(40, CI) == 20
        scene.restart()
        assert scene.ask(40) == 0
        assert scene.entry(Dimension.ADDRESS, ANYBODY).requests == 30

    def test_many_days_leave_few_in_memory(self) -> None:
        """What leaves is in the books."""
        scene = Scene()
        for _ in range(5):
            scene.ask(3)
            scene.now += DAY
        scene.ask()
        assert [day for day, _ in scene.quota.take_changes()] == [TODAY + 4, TODAY + 5]
        assert scene.books.load(TODAY + 3)


class TestOnExhausted:
    """What becomes of a request that there is no room for."""

    @pytest.mark.parametrize(
        ("way", "is_refused", "is_final"),
        [("cache-only", True, False), ("refuse", True, True), ("count", False, False)],
    )
    @pytest.mark.parametrize(
        "rules",
        [
            {"per_day": 2},
            {"per_minute": 2},
            {"clients": (ClientLimits(requests_per_day=2),)},
            {"clients": (ClientLimits(requests_per_minute=2),)},
        ],
        ids=["day", "minute", "client's day", "client's minute"],
    )
    def test_each_way(
        self, rules: dict[str, Any], way: str, is_refused: bool, is_final: bool
    ) -> None:
        """The same for every limit; nothing is final before a limit is spent."""
        scene = Scene(on_exhausted=way, **rules)
        for _ in range(2):
            charge = scene.charge()
            assert (charge.refusal, charge.is_final) == (None, False)
        charge = scene.charge()
        assert (charge.refusal is not None, charge.is_final) == (is_refused, is_final)
        entry = scene.entry(Dimension.ADDRESS, ANYBODY)
        assert (entry.requests, entry.refused) == ((2, 1) if is_refused else (3, 0))
        assert scene.quota.day().used == scene.quota.minute().used == entry.requests

    def test_counting_goes_over_the_limit(self) -> None:
        """And then nothing remains, rather than less."""
        scene = Scene(per_day=10, on_exhausted="count", reserves=(Reserve(50, ("ci",)),))
        assert scene.ask(30) == 30
        assert (scene.quota.day().used, scene.quota.day().remaining) == (30, 0)

    def test_a_settled_request_is_counted_by_kind_and_outcome(self) -> None:
        """A refused one as well."""
        scene = Scene(per_day=1)
        scene.charge().settle(Outcome.MISS)
        scene.charge().settle(Outcome.REFUSED)
        counters = scene.quota.tally.since_start()
        assert counters.count(Kind.MANIFEST_GET, Outcome.MISS) == 1
        assert counters.count(Kind.MANIFEST_GET, Outcome.REFUSED) == 1
        assert (counters.requests, counters.admitted) == (2, 1)

    def test_of_several_spent_limits_the_longest_is_told(self) -> None:
        """Whoever comes back when it says so is not refused for what was known before."""
        scene = Scene(per_day=2, clients=(ClientLimits(requests_per_minute=2),))
        scene.ask(2)
        assert scene.refusal().startswith("this mirror's 2 requests for today are spent")
        scene = Scene(per_minute=2, clients=(ClientLimits(requests_per_day=2),))
        scene.ask(2)
        assert scene.refusal().startswith("this client's 2 requests for today are spent")


class TestClients:
    """Limits of one client, and whose they are."""

    LIMITS = (
        ClientLimits(requests_per_day=1),
        ClientLimits(network="ci", requests_per_day=2),
        ClientLimits(user="alice", requests_per_day=3),
    )

    def test_the_most_specific_limit_holds(self) -> None:
        """The user's, or else the network's, or else each address's."""
        scene = Scene(clients=self.LIMITS)
        assert scene.ask(9, CI, "alice") == 3
        assert scene.ask(9, PRODUCTION, "bob") == 1
        assert scene.ask(9, ANYBODY) == 1
        assert scene.refusal(CI, "alice").startswith("user alice's 3 requests")
        assert scene.refusal(PRODUCTION, "bob").startswith("this client's 1 requests")

    def test_a_networks_limit_is_for_all_of_it_together(self) -> None:
        """And a user's for all addresses; each other address has its own."""
        scene = Scene(clients=self.LIMITS)
        assert scene.ask(1, CI) + scene.ask(9, CI_TWO) == 2
        assert scene.refusal(CI).startswith("network ci's 2 requests for today are spent")
        assert scene.ask(2, CI, "alice") + scene.ask(9, ANYBODY, "alice") == 3
        assert scene.ask(9, "192.0.2.2") == scene.ask(9, "192.0.2.3") == 1

    def test_an_ipv6_client_is_a_64(self) -> None:
        """And one of IPv4 is the same in IPv6's clothes."""
        scene = Scene(clients=self.LIMITS)
        assert scene.ask(1, "2001:db8::1") == 1
        assert scene.ask(1, "2001:db8::2") == 0
        assert scene.ask(1, "2001:db8:0:1::1") == 1
        assert scene.ask(1, "::ffff:192.0.2.1") == 1
        assert scene.ask(1, "192.0.2.1") == 0

    def test_the_clients_minute_begins_anew(self) -> None:
        """With each UTC minute; its day goes on."""
        scene = Scene(clients=(ClientLimits(requests_per_minute=2, requests_per_day=5),))
        taken = []
        for minute in range(4):
            scene.now = NOON + minute * MINUTE
            taken.append(scene.ask(4))
        assert taken == [2, 2, 1, 0]

    @pytest.mark.parametrize(
        ("limits", "reset"),
        [
            (ClientLimits(bytes_per_day=1000), DAY / 2),
            (ClientLimits(bytes_per_minute=1000), MINUTE),
        ],
        ids=["day", "minute"],
    )
    def test_bytes_count_at_a_requests_end(self, limits: ClientLimits, reset: float) -> None:
        """The one that crosses the limit is finished, and the next is refused, until the reset."""
        scene = Scene(clients=(limits,))
        scene.charge().moved(10, 980)
        crossing = scene.charge()
        assert crossing.refusal is None
        crossing.moved(10, 10**6)
        assert "1000 bytes for " in scene.refusal()
        assert scene.ask(1, CI) == 1
        scene.now += reset
        assert scene.ask() == 1

    def test_bytes_are_in_all_accounts_and_the_tally(self) -> None:
        """Of the client, its network, its user and the repository."""
        scene = Scene()
        scene.charge(CI, "alice").moved(10, 200)
        for dimension, name in (
            (Dimension.ADDRESS, CI),
            (Dimension.NETWORK, "ci"),
            (Dimension.USER, "alice"),
            (Dimension.REPOSITORY, "library/busybox"),
        ):
            entry = scene.entry(dimension, name)
            assert (entry.requests, entry.bytes_in, entry.bytes_out) == (1, 10, 200)
        told = scene.quota.tally.since_start().as_json()
        assert (told["bytes_in"], told["bytes_out"]) == (10, 200)

    def test_what_ends_after_midnight_counts_there(self) -> None:
        """A long download is the new day's, also where nobody has asked since: with the second

        that follows midnight.
        """
        scene = Scene(clients=(ClientLimits(bytes_per_day=1000),))
        charge = scene.charge()
        scene.now += DAY
        scene.quota.settle()
        charge.moved(0, 1000)
        assert scene.ask() == 0
        assert scene.entry(Dimension.ADDRESS, ANYBODY).bytes_out == 1000

    def test_a_restart_keeps_what_a_client_has_spent_of_the_day(self) -> None:
        """Requests and bytes."""
        scene = Scene(
            clients=(ClientLimits(requests_per_day=5), ClientLimits("ci", bytes_per_day=1000))
        )
        scene.ask(3)
        scene.charge(CI).moved(0, 1000)
        scene.restart()
        assert scene.ask(5) == 2
        assert scene.ask(1, CI) == 0

    def test_who_was_summed_with_others_can_not_spend_again(self) -> None:
        """More addresses than are told apart come between."""
        scene = Scene(clients=(ClientLimits(requests_per_day=3),))
        assert scene.ask(3) == 3
        for number in range(2 * BUSIEST):
            scene.ask(4, f"10.9.{number >> 8}.{number & 255}")
        assert scene.ask(3) == 0
        # By chance one of them may be told apart from none of those who have spent all.
        assert max(scene.ask(3, f"198.51.100.{number}") for number in range(8)) == 3

    def test_a_pull_is_in_the_clients_account(self) -> None:
        """And in the tally, and in what is told of the latest pulls."""
        scene = Scene()
        scene.quota.pulled(scene.charge(CI).spender, question(CI))
        assert scene.entry(Dimension.NETWORK, "ci").pulls == 1
        assert scene.quota.tally.since_start().as_json()["pulls"] == 1
        assert [pull.image for pull in scene.quota.pulls.latest()] == ["library/busybox:latest"]

    def test_what_a_rule_refuses_spends_nothing(self) -> None:
        """Of the day, of a client's limit, of a reserve; that it was refused is counted."""
        scene = Scene(per_day=10, clients=(ClientLimits(requests_per_day=2),))
        for _ in range(20):
            charge = scene.quota.refuse(question(), Denied())
            assert isinstance(charge.refusal, Denied)
            assert charge.is_final
            charge.settle(Outcome.REFUSED)
        assert scene.quota.day().used == 0
        (entry,) = scene.quota.top(Dimension.ADDRESS, 5)
        assert (entry.requests, entry.refused) == (0, 20)
        today = scene.quota.tally.latest(Step.DAY)
        assert today.count(Kind.MANIFEST_GET, Outcome.REFUSED) == 20
        assert scene.quota.admit(question()).refusal is None

    def test_a_request_of_no_repository_has_none(self) -> None:
        """It counts as any other."""
        scene = Scene()
        client = Client("", "https://mirror.example")
        assert scene.quota.admit(Question("GET", Ping(), client)).refusal is None
        assert scene.quota.top(Dimension.REPOSITORY, 10) == []
        assert [one.name for one in scene.quota.top(Dimension.ADDRESS, 10)] == ["hubmirror"]

    def test_networks_are_known_by_name(self) -> None:
        """Of an account's name, too, which may be that of an IPv6 network."""
        scene = Scene()
        assert scene.quota.network_of(CI) == "ci"
        assert scene.quota.network_of("2001:db8::/64") is None


class TestReserves:
    """A greedy CI spends its own; production never fails."""

    RESERVES = (Reserve(20, ("production",), ("deployer",)),)

    def test_the_greedy_leave_what_is_reserved(self) -> None:
        """Of the day."""
        scene = Scene(per_day=100, reserves=self.RESERVES)
        assert scene.ask(500, CI) == 80
        assert scene.refusal(CI).startswith("what is left of this mirror's 100 requests for today")
        assert scene.ask(500, PRODUCTION) == 20
        assert scene.refusal(PRODUCTION).startswith("this mirror's 100 requests for today are")
        assert scene.quota.reserves() == [ReserveStatus("production, deployer", 20, 20)]

    def test_the_minute_has_the_same_shares(self) -> None:
        """So no burst can keep production waiting."""
        scene = Scene(per_minute=10, reserves=self.RESERVES)
        for minute in range(3):
            scene.now = NOON + minute * MINUTE
            assert scene.ask(500, CI) == 8
            assert scene.ask(500, PRODUCTION) == 2

    def test_a_minute_is_no_reason_to_spend_a_day(self) -> None:
        """What the minute has no room for costs neither's reserve anything."""
        scene = Scene(per_day=1000, per_minute=10, reserves=self.RESERVES)
        scene.ask(50, PRODUCTION)
        assert scene.quota.reserves() == [ReserveStatus("production, deployer", 200, 10)]

    @pytest.mark.parametrize("is_killed", [False, True], ids=["restart", "reload"])
    def test_the_days_shares_outlive_the_process(self, is_killed: bool) -> None:
        """What a deployer in production spent is in two accounts, and counts once."""
        scene = Scene(per_day=100, reserves=self.RESERVES)
        assert scene.ask(80, CI) == 80
        assert scene.ask(4, PRODUCTION) + scene.ask(3, ANYBODY, "deployer") == 7
        assert scene.ask(6, PRODUCTION, "deployer") == 6
        if is_killed:
            scene.restart()
        else:
            scene.quota.rules = evolve(scene.quota.rules, per_minute=10_000)
        assert scene.quota.reserves() == [ReserveStatus("production, deployer", 20, 13)]
        assert scene.ask(10, CI) == 0
        assert scene.ask(10, PRODUCTION) == 7

    def test_what_a_kill_lost_is_nobodys_reserve(self) -> None:
        """Where it is not known who spent it, it is taken for common: others get no more."""
        scene = Scene(per_day=100, reserves=self.RESERVES)
        scene.ask(15, PRODUCTION)
        scene.ask(50, CI)
        scene.quota = Quota(
            scene.quota.rules, scene.ledger, scene.history, MemoryBooks(), scene.time
        )
        assert scene.ask(500, CI) == 15
        assert scene.ask(500, PRODUCTION) == 20

    def test_new_rules_hold_for_what_is_spent(self) -> None:
        """Limits and reserves that were not there before, of the day and of the minute."""
        scene = Scene(per_day=1000, per_minute=500)
        assert scene.ask(30, CI) + scene.ask(10, PRODUCTION) == 40
        scene.quota.rules = evolve(
            scene.quota.rules,
            per_day=100,
            per_minute=50,
            reserves=(Reserve(20, ("production",)), Reserve(20, ("ci",))),
        )
        assert [one.used for one in scene.quota.reserves()] == [10, 20]
        assert scene.quota.minute().used == 40
        assert scene.ask(500, ANYBODY) == 10  # 30 of the minute are common, 20 of them spent
        scene.now += MINUTE
        assert scene.ask(500, ANYBODY) == 30
        assert [scene.ask(500, CI), scene.ask(500, PRODUCTION)] == [10, 10]

    def test_new_client_limits_hold_for_what_is_spent(self) -> None:
        """Also where nothing was limited when it was."""
        scene = Scene()
        scene.ask(5)
        scene.quota.rules = evolve(scene.quota.rules, clients=(ClientLimits(requests_per_day=7),))
        assert scene.ask(5) == 2

    def test_other_networks_hold_from_now_on(self) -> None:
        """Names are an operator's: what was counted under the old ones stays there."""
        scene = Scene(clients=(ClientLimits("ci", requests_per_day=3),))
        scene.ask(3, CI)
        scene.quota.rules = evolve(
            scene.quota.rules, networks={"ci": (ip_network(f"{ANYBODY}/32"),)}
        )
        assert scene.ask(3, CI) == 3
        assert scene.ask(3, ANYBODY) == 0

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([CI, PRODUCTION, ANYBODY]),
                st.sampled_from([None, "deployer"]),
                st.sampled_from([0, 0, 0, 0, 1, 20, MINUTE]),
                st.booleans(),
            ),
            max_size=120,
        )
    )
    def test_others_never_get_what_is_reserved(
        self, steps: list[tuple[str, str | None, int, bool]]
    ) -> None:
        """Whoever comes in whatever order, with restarts in between, in the day and the minute."""
        reserves = (Reserve(20, ("production",)), Reserve(10, users=("deployer",)))
        scene = Scene(per_day=40, per_minute=20, reserves=reserves)
        day: Counter[str] = Counter()
        minutes: dict[int, Counter[str]] = {}
        for address, user, seconds, is_restart in steps:
            scene.now += seconds
            if is_restart:
                scene.restart()
            if not scene.ask(1, address, user):
                continue
            for window in (day, minutes.setdefault(int(scene.now // MINUTE), Counter())):
                window["all"] += 1
                window["others"] += address != PRODUCTION and user is None
        assert day["others"] <= 40 - 8 - 4
        assert day["all"] == scene.quota.day().used <= 40
        assert all(one["others"] <= 20 - 4 - 2 and one["all"] <= 20 for one in minutes.values())


class TestWarnings:
    """50, 80 and 95 percent of the day."""

    def test_each_is_told_once_when_it_is_reached(self) -> None:
        """With the very request, and again the next day."""
        scene = Scene(per_day=100)
        told = []
        for _ in range(110):
            scene.ask()
            told.append(len(scene.warned))
        assert scene.warned == [50, 80, 95]
        assert [told.index(count) + 1 for count in (1, 2, 3)] == [50, 80, 95]
        scene.now += DAY
        scene.ask(60)
        assert scene.warned == [50, 80, 95, 50]

    def test_one_request_may_reach_several(self) -> None:
        """Where the limit is small."""
        scene = Scene(per_day=2)
        scene.ask()
        assert scene.warned == [50]
        scene.ask()
        assert scene.warned == [50, 80, 95]

    def test_a_restart_tells_nothing_again(self) -> None:
        """Nor does a clock that steps over midnight and back, or a reload."""
        scene = Scene(per_day=100)
        scene.ask(60)
        scene.restart()
        scene.now += DAY
        scene.ask()
        scene.now -= DAY
        scene.quota.rules = evolve(scene.quota.rules, per_minute=1000)
        scene.ask()
        assert scene.warned == [50]
        scene.ask(20)
        assert scene.warned == [50, 80]

    def test_without_a_limit_there_are_none(self) -> None:
        """Also where there was one before."""
        scene = Scene(per_day=0)
        scene.ask(100)
        scene.quota.rules = evolve(scene.quota.rules, per_day=1000)
        scene.quota.rules = evolve(scene.quota.rules, per_day=0)
        scene.ask(100)
        assert scene.warned == []

    def test_a_lower_limit_is_told_with_the_next_request(self) -> None:
        """What was told of the higher one is not told again."""
        scene = Scene(per_day=100)
        scene.ask(60)
        scene.quota.rules = evolve(scene.quota.rules, per_day=70)
        scene.ask()
        assert scene.warned == [50, 80]

    def test_counting_only_warns_as_well(self) -> None:
        """It is then all that an operator hears of it."""
        scene = Scene(per_day=10, on_exhausted="count")
        scene.ask(30)
        assert scene.warned == [50, 80, 95]


#: Rules that limit nobody, though the quota has to look at them with each request.
LIMIT_NOBODY: tuple[dict[str, Any], ...] = (
    {"clients": (ClientLimits("nowhere", requests_per_day=1),)},
    {"clients": (ClientLimits(requests_per_day=10**9, bytes_per_minute=10**15),)},
    {"reserves": (Reserve(0, ("ci",)),)},
    {"clients": (ClientLimits("ci", requests_per_minute=10**9),), "reserves": (Reserve(0),)},
)

SUBJECTS: tuple[tuple[str, Any], ...] = (
    ("GET", MANIFEST),
    ("HEAD", MANIFEST),
    ("GET", Ping()),
    ("GET", BlobRequest(Repository("docker.io", "team/app"), Digest("sha256", "0" * 64))),
    ("POST", Refusal(NotFound())),
)

steps = st.lists(
    st.tuples(
        st.sampled_from([CI, CI_TWO, PRODUCTION, ANYBODY]),
        st.sampled_from([None, "alice"]),
        st.sampled_from(SUBJECTS),
        st.sampled_from(Outcome),
        st.sampled_from([0, 0, 0, 1, 20, MINUTE, -MINUTE, DAY // 3]),
        st.sampled_from(["", "", "", "", "settle", "look", "save", "reload", "restart"]),
    ),
    max_size=60,
)
Taken = tuple[str, "str | None", tuple[str, Any], Outcome, int, str]


def played(scene: Scene, steps: list[Taken]) -> list[object]:
    """All that can be seen while these steps are taken: each decision, and all that is told."""
    seen: list[object] = []
    charges: list[Charge] = []
    for address, user, (method, subject), outcome, seconds, what in steps:
        scene.now += seconds
        client = Client(address, "https://mirror.example")
        charge = scene.quota.admit(Question(method, subject, client), user)
        refusal = charge.refusal
        seen.append((refusal and (refusal.message, refusal.headers), charge.is_final))
        seen.append((charge.kind, charge.spender))
        charge.settle(outcome)
        charges.append(charge)
        charges[len(charges) // 2].moved(7, 100)
        if what == "settle":
            scene.quota.settle()
        elif what == "look":
            seen.append(told(scene))
        elif what == "save":
            scene.save()
        elif what == "reload":
            scene.quota.rules = evolve(scene.quota.rules, per_day=scene.quota.rules.per_day + 3)
        elif what == "restart":
            scene.restart()
            charges = [charge]
    return [*seen, told(scene), scene.quota.take_changes(), scene.warned]


def told(scene: Scene) -> list[object]:
    """What anybody can look at."""
    quota = scene.quota
    tops = [sorted(quota.top(one, 100), key=lambda entry: entry.name) for one in Dimension]
    rows = [quota.tally.rows(Step.MINUTE, 3), quota.tally.rows(Step.DAY, 2)]
    return [quota.day(), quota.minute(), quota.tally.since_start(), tops, rows]


class TestBothWays:
    """The plain way, where no client has limits or reserves, and the full one."""

    @given(
        steps,
        st.sampled_from(LIMIT_NOBODY),
        st.sampled_from([0, 5, 12, 40]),
        st.sampled_from([0, 3, 12]),
        st.sampled_from(["cache-only", "refuse", "count"]),
    )
    def test_rules_that_limit_nobody_change_nothing(
        self, steps: list[Taken], nobodys: dict[str, Any], day: int, minute: int, way: str
    ) -> None:
        """Neither a decision nor a word in a refusal nor a number that is told."""
        rules: dict[str, Any] = {"per_day": day, "per_minute": minute, "on_exhausted": way}
        assert played(Scene(**rules), steps) == played(Scene(**rules, **nobodys), steps)

    @given(steps, st.sampled_from(({}, *LIMIT_NOBODY)))
    def test_every_number_is_told(self, steps: list[Taken], rules: dict[str, Any]) -> None:
        """All that has come is in the history; what was let through in ledger and accounts, too."""
        scene = Scene(per_day=25, per_minute=6, **rules)
        played(scene, steps)
        scene.quota.settle()
        days = range(TODAY - 1, TODAY + 22)
        rows = scene.history.rows(Step.DAY, days[-1] * DAY, len(days))
        assert [row.admitted for _, row in rows] == [scene.ledger.used(day) for day in days]
        counted = Counters.sum(row for _, row in rows)
        assert (counted.requests, counted.row[BYTES_OUT]) == (len(steps), 100 * len(steps))
        clients = scene.quota.top(Dimension.ADDRESS, 100)
        assert sum(one.requests for one in clients) == scene.quota.day().used


class TestCharges:
    """Where requests are counted that have been decided about."""

    def test_requests_that_are_alike_share_one(self) -> None:
        """And no others do."""
        scene = Scene()
        assert scene.charge() is scene.charge()
        others = [
            scene.charge(CI),
            scene.charge(ANYBODY, "alice"),
            *(
                scene.quota.admit(Question(method, subject, Client(ANYBODY, "")))
                for method, subject in SUBJECTS[1:]
            ),
        ]
        assert len({*others, scene.charge()}) == len(others) + 1

    def test_a_refused_one_is_not_shared(self) -> None:
        """Who was let through stays so."""
        scene = Scene(per_day=1)
        first, second = scene.charge(), scene.charge()
        assert (first.refusal, second.refusal is None) == (None, False)
        second.moved(1, 20)
        first.moved(1, 300)
        entry = scene.entry(Dimension.ADDRESS, ANYBODY)
        assert (entry.requests, entry.refused, entry.bytes_out) == (1, 1, 320)

    @pytest.mark.parametrize(("method", "subject"), SUBJECTS)
    def test_a_charge_has_its_questions_kind(self, method: str, subject: Any) -> None:
        """Whatever was asked before."""
        scene = Scene()
        questions = [
            Question(*pair, Client(ANYBODY, "")) for pair in (*SUBJECTS, (method, subject))
        ]
        charges = [scene.quota.admit(question) for question in questions]
        assert charges[-1].kind is kind_of(questions[-1])

    def test_each_second_leaves_nothing_to_be_counted(self) -> None:
        """Whoever looks in the end has not to wait for what came in a year."""
        scene = Scene(per_day=1)
        notes = [scene.charge().note, scene.charge().note, scene.charge(CI).note]
        assert all(note.is_open for note in notes)
        scene.quota.settle()
        assert not any(note.is_open for note in notes)

    def test_what_moves_late_is_counted_all_the_same(self) -> None:
        """Whatever has been counted, forgotten, and set anew meanwhile."""
        scene = Scene()
        charge = scene.charge(CI)
        scene.quota.settle()
        charge.moved(1, 20)
        scene.quota.settle()
        scene.quota.rules = evolve(scene.quota.rules, per_day=1000, networks={})
        charge.moved(1, 300)
        scene.now += MINUTE
        scene.ask(3)
        charge.moved(1, 4000)
        entry = scene.entry(Dimension.NETWORK, "ci")
        assert (entry.requests, entry.bytes_in, entry.bytes_out) == (1, 3, 4320)

    def test_very_many_clients_lose_nothing(self) -> None:
        """More than are remembered, while nobody settles anything."""
        scene = Scene()
        first = scene.charge(CI)
        crowd = 2 * REMEMBERED + 10
        for number in range(crowd):
            scene.charge(f"2001:db8:{number:x}::1").moved(1, 2)
        first.moved(10, 20)
        assert scene.charge(CI) is not first
        entries = scene.quota.top(Dimension.ADDRESS, crowd + 10)
        assert sum(entry.requests for entry in entries) == crowd + 2
        assert sum(entry.bytes_out for entry in entries) == 2 * crowd + 20

    def test_memory_has_bounds(self) -> None:
        """However many repositories are asked for, and though nobody settles anything."""
        scene = Scene()

        def ask(numbers: range) -> None:
            for number in numbers:
                repository = Repository("docker.io", f"library/name{number}")
                subject = ManifestRequest(repository, Tag("latest"))
                scene.quota.admit(Question("GET", subject, Client(ANYBODY, "")))

        ask(range(16_000))
        tracemalloc.start()
        try:
            ask(range(16_000, 17_000))
            before = tracemalloc.get_traced_memory()[0]
            ask(range(17_000, 50_000))
            assert tracemalloc.get_traced_memory()[0] < before + 6_000_000
        finally:
            tracemalloc.stop()


def test_taking_changes_is_cheap_where_there_are_none() -> None:
    """A day that nothing changed in has nothing to save; a refused request is a change."""
    scene = Scene(per_day=1)
    scene.ask()
    assert len(scene.quota.take_changes()) == 1
    scene.quota.day()
    scene.quota.top(Dimension.ADDRESS, 10)
    scene.quota.reserves()
    assert scene.quota.take_changes() == []
    scene.ask()
    [(day, entries)] = scene.quota.take_changes()
    assert (day, {entry.name for entry in entries}) == (TODAY, {ANYBODY, "library/busybox"})
