"""Shares of a window: who may spend what, whatever the order in which they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.quota.rules import Reserve
from hubmirror.quota.shares import COMMON, Shares, is_member
from hubmirror.quota.spender import Spender

CI = Spender("10.1.0.1", "ci")
PRODUCTION = Spender("10.2.0.1", "production")
DEPLOYER = Spender("192.0.2.7", user="deployer")
DEPLOYER_IN_PRODUCTION = Spender("10.2.0.2", "production", "deployer")
ANYBODY = Spender("192.0.2.1")

SPENDERS = (CI, PRODUCTION, DEPLOYER, DEPLOYER_IN_PRODUCTION, ANYBODY)
NAMES = ("ci", "production")

reserves_of_any_kind = st.lists(
    st.builds(
        Reserve,
        st.floats(0, 33),
        st.sampled_from([(), ("ci",), ("production",), NAMES]),
        st.sampled_from([(), ("deployer",)]),
    ),
    max_size=3,
)


def spend(shares: Shares, spender: Spender, times: int = 1) -> int:
    """Ask ``times`` times; how often there was room."""
    return sum(try_once(shares, spender) for _ in range(times))


def try_once(shares: Shares, spender: Spender) -> bool:
    """Ask once; whether there was room."""
    payer = shares.payer(spender)
    if payer is not None:
        shares.charge(payer)
    return payer is not None


def test_without_reserves_the_limit_is_the_limit() -> None:
    """Exactly so many, whoever asks."""
    shares = Shares(10, ())
    assert spend(shares, ANYBODY, 8) + spend(shares, CI, 8) == 10
    assert shares.used == shares.ceiling == 10


def test_without_a_limit_there_is_no_end() -> None:
    """0 is any amount, and then a reserve is a share of nothing."""
    shares = Shares(0, (Reserve(50, ("ci",)),))
    assert spend(shares, ANYBODY, 1000) == 1000
    assert (shares.used, shares.spent) == (1000, [0])
    assert shares.used < shares.ceiling


@given(st.integers(0, 60), st.lists(st.booleans(), max_size=80))
def test_without_reserves_the_ceiling_is_all_of_it(limit: int, is_short: list[bool]) -> None:
    """One more of what is used is what anybody's charge would have been."""
    shares = Shares(limit, ())
    for short in is_short:
        payer = shares.payer(ANYBODY)
        assert (shares.used < shares.ceiling) == (payer is not None)
        if short:
            shares.used += 1
        else:
            shares.charge(payer)
    assert shares.used == len(is_short)


def test_a_greedy_client_leaves_what_is_reserved() -> None:
    """It gets all that is common; the members' whole share is there when they come."""
    shares = Shares(100, (Reserve(20, ("production",)),))
    assert spend(shares, CI, 1000) == 80
    assert spend(shares, PRODUCTION, 1000) == 20


def test_a_member_spends_its_reserve_first_and_then_what_is_common() -> None:
    """So others have less that is common only once a reserve is spent."""
    shares = Shares(100, (Reserve(20, ("production",)),))
    assert spend(shares, PRODUCTION, 50) == 50
    assert (shares.spent, spend(shares, CI, 1000)) == ([20], 50)


def test_reserves_are_apart() -> None:
    """A member of one gets at another's as little as anybody."""
    shares = Shares(100, (Reserve(20, ("production",)), Reserve(30, ("ci",))))
    assert spend(shares, CI, 1000) == 80
    assert spend(shares, ANYBODY, 1000) == 0
    assert spend(shares, PRODUCTION, 1000) == 20


def test_a_member_of_two_spends_the_first_that_has_room() -> None:
    """The first, the second, and then what is common."""
    shares = Shares(100, (Reserve(10, ("production",)), Reserve(20, users=("deployer",))))
    payers = []
    for _ in range(31):
        payer = shares.payer(DEPLOYER_IN_PRODUCTION)
        shares.charge(payer)
        payers.append(payer)
    assert payers == [0] * 10 + [1] * 20 + [COMMON]


def test_membership_is_by_network_or_user() -> None:
    """Who has neither is a member of nothing, also where nothing is named."""
    reserve = Reserve(10, ("production",), ("deployer",))
    assert [is_member(reserve, one) for one in SPENDERS] == [False, True, True, True, False]
    assert not is_member(Reserve(10), ANYBODY)


@pytest.mark.parametrize(
    ("limit", "share", "size"),
    [
        (100_000, 20, 20_000),
        (100_000, 2.3, 2_300),
        (1000, 0.7, 7),
        (3, 50, 1),
        (100, 0.29, 0),
        (1, 99, 0),
    ],
)
def test_a_size_is_in_whole_requests(limit: int, share: float, size: int) -> None:
    """Rounded down, and never by what a float lacks."""
    assert Shares(limit, (Reserve(share, ("ci",)),)).sizes == [size]


def test_what_has_no_room_is_counted_all_the_same() -> None:
    """An overdraft is of what is common."""
    shares = Shares(10, (Reserve(20, ("production",)),))
    for _ in range(15):
        shares.charge(shares.payer(CI))
    assert (shares.used, shares.spent) == (15, [0])


def test_restoring_knows_what_members_have_spent() -> None:
    """Their reserve first, the rest of it common; what nobody is known to have spent, too."""
    shares = Shares(100, (Reserve(20, ("production",)),))
    shares.restore(60, [(PRODUCTION, 15), (CI, 40)])
    assert (shares.used, shares.spent) == (60, [15])
    assert spend(shares, CI, 1000) == 35
    assert spend(shares, PRODUCTION, 1000) == 5


def test_restoring_counts_a_name_in_two_reserves_once() -> None:
    """The first has it, and what is too much for that the second."""
    shares = Shares(100, (Reserve(10, ("ci",)), Reserve(20, ("ci", "production"))))
    shares.restore(25, [(CI, 8)])
    assert shares.spent == [8, 0]
    shares.restore(25, [(CI, 25)])
    assert shares.spent == [10, 15]


def test_restoring_never_finds_more_than_was_spent() -> None:
    """The day's count is exact; what is known of clients may be later or earlier than it."""
    shares = Shares(100, (Reserve(20, ("production",)),))
    shares.restore(5, [(PRODUCTION, 15)])
    assert (shares.used, shares.spent) == (5, [5])
    shares.restore(0, [(PRODUCTION, 15)])
    assert (shares.used, shares.spent) == (0, [0])


def test_restoring_more_than_the_limit_leaves_nothing() -> None:
    """As when a limit was lowered."""
    shares = Shares(100, (Reserve(20, ("production",)),))
    shares.restore(150, [])
    assert [shares.payer(one) for one in SPENDERS] == [None] * 5


@given(st.integers(1, 60), reserves_of_any_kind, st.lists(st.sampled_from(SPENDERS), max_size=150))
def test_what_is_reserved_is_there_for_its_members(
    limit: int, reserves: list[Reserve], spenders: list[Spender]
) -> None:
    """Others get what is common at most, all together no more than the limit, and a member is

    refused only where neither its reserves nor what is common have any left.
    """
    shares = Shares(limit, reserves)
    sizes = shares.sizes
    common, others, spent = limit - sum(sizes), 0, [0] * len(sizes)
    for spender in spenders:
        mine = [number for number, one in enumerate(reserves) if is_member(one, spender)]
        room = [number for number in mine if spent[number] < sizes[number]]
        payer = shares.payer(spender)
        if payer is None:
            assert (room, common) == ([], 0)
            continue
        shares.charge(payer)
        if room:
            spent[room[0]] += 1
        else:
            common -= 1
            others += not mine
    assert shares.spent == spent
    assert others <= limit - sum(sizes)
    assert shares.used == limit - sum(sizes) - common + sum(spent) <= limit


@given(
    st.integers(1, 60),
    reserves_of_any_kind,
    st.lists(st.tuples(st.sampled_from(SPENDERS), st.integers(0, 40)), max_size=5),
    st.integers(0, 80),
)
def test_a_restored_window_lets_through_what_is_left(
    limit: int, reserves: list[Reserve], known: list[tuple[Spender, int]], used: int
) -> None:
    """All together never more than the limit, and others never what is reserved."""
    shares = Shares(limit, reserves)
    shares.restore(used, known)
    assert sum(shares.spent) <= used
    left = spend(shares, ANYBODY, 100)
    assert left <= max(0, limit - sum(shares.sizes) - (used - sum(shares.spent)))
    assert left + sum(spend(shares, one, 100) for one in SPENDERS) <= max(0, limit - used)
