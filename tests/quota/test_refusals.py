"""A refusal's message and header fields: whose limit, how much, until when."""

from __future__ import annotations

import pytest

from hubmirror.quota.accounts import Account
from hubmirror.quota.refusals import (
    Policy,
    Spent,
    client_policies,
    refused,
    spent_policy,
    window_policies,
)
from hubmirror.quota.rules import ClientLimits
from hubmirror.quota.window import DAY, MINUTE

NOON = 20454.5 * DAY
LIMITS = ClientLimits(
    requests_per_day=100, requests_per_minute=10, bytes_per_day=10**9, bytes_per_minute=10**6
)


def test_the_days_refusal() -> None:
    """Until midnight UTC; the fields as the draft writes them."""
    error = refused(Spent(Policy(1000, DAY), window_policies(1000, 50)), NOON + 0.2)
    assert error.status == 429
    assert error.message == (
        "this mirror's 1000 requests for today are spent;"
        " the count starts anew at 2026-01-02T00:00:00Z"
    )
    assert error.headers == {
        "Retry-After": "43200",
        "RateLimit-Policy": '"day";q=1000;w=86400, "minute";q=50;w=60',
        "RateLimit": '"day";r=0;t=43200',
    }


def test_the_minutes_refusal() -> None:
    """Until the UTC minute is over; a limit that there is not is not told."""
    error = refused(Spent(Policy(50, MINUTE), window_policies(0, 50)), NOON + 17.5)
    assert error.message == (
        "this mirror's 50 requests for this minute are spent;"
        " the count starts anew at 2026-01-01T12:01:00Z"
    )
    assert error.headers == {
        "Retry-After": "43",
        "RateLimit-Policy": '"minute";q=50;w=60',
        "RateLimit": '"minute";r=0;t=43',
    }


def test_what_is_left_for_others_is_told() -> None:
    """The numbers that monitoring shows would not explain it."""
    error = refused(Spent(Policy(50, DAY), [], is_rest_reserved=True), NOON)
    assert error.message.startswith(
        "what is left of this mirror's 50 requests for today is reserved for other clients; "
    )


@pytest.mark.parametrize(
    ("limits", "whose"),
    [
        (ClientLimits(bytes_per_day=7), "this client's"),
        (ClientLimits(network="ci", bytes_per_day=7), "network ci's"),
        (ClientLimits(user="alice", bytes_per_day=7), "user alice's"),
    ],
)
def test_it_tells_whose_limit_it_is(limits: ClientLimits, whose: str) -> None:
    """An address's, a network's or a user's; bytes are called so."""
    [policy] = client_policies(limits)
    error = refused(Spent(policy, [policy]), NOON)
    assert error.message.startswith(f"{whose} 7 bytes for today are spent; ")
    assert error.headers["RateLimit-Policy"] == '"client-day-bytes";q=7;w=86400;qu="content-bytes"'
    assert error.headers["RateLimit"] == '"client-day-bytes";r=0;t=43200'


def test_all_of_a_clients_limits_are_told() -> None:
    """The longest window first, each with a name of its own."""
    assert list(map(str, client_policies(LIMITS))) == [
        '"client-day";q=100;w=86400',
        '"client-day-bytes";q=1000000000;w=86400;qu="content-bytes"',
        '"client-minute";q=10;w=60',
        '"client-minute-bytes";q=1000000;w=60;qu="content-bytes"',
    ]


def test_an_integer_is_no_longer_than_a_field_may_have() -> None:
    """RFC 9651, section 3.3.1: 15 digits."""
    assert str(Policy(10**18, DAY)) == '"day";q=999999999999999;w=86400'


@pytest.mark.parametrize(
    ("account", "name"),
    [
        (
            Account(requests=99, minute_requests=9, bytes_out=10**9 - 1, minute_bytes=10**6 - 1),
            None,
        ),
        (Account(requests=100), "client-day"),
        (Account(requests=60, assumed=40), "client-day"),
        (Account(bytes_in=4 * 10**8, bytes_out=6 * 10**8), "client-day-bytes"),
        (Account(bytes_out=10, assumed_bytes=10**9), "client-day-bytes"),
        (Account(minute_requests=10), "client-minute"),
        (Account(minute_bytes=10**6), "client-minute-bytes"),
        (Account(requests=100, minute_requests=10), "client-day"),
        (Account(bytes_out=10**9, minute_requests=10), "client-day-bytes"),
    ],
)
def test_a_spent_limit_is_found(account: Account, name: str | None) -> None:
    """Where there are several, the one that lasts longest."""
    policy = spent_policy(LIMITS, account)
    assert (policy and policy.name) == name


def test_what_is_not_limited_is_never_spent() -> None:
    """0 is any amount."""
    account = Account(requests=10**9, minute_requests=10**9, bytes_out=10**15, minute_bytes=10**15)
    assert spent_policy(ClientLimits(), account) is None
