"""From readings to a row."""

from __future__ import annotations

from bench.comparing import Bases
from bench.results import Aim
from bench.warm import Reading, row_of

ROUNDS = [
    {
        "hubmirror": [Reading("rate", "/s", 2.0, 0.5), Reading("CPU", "us", 6.0)],
        "nginx": [Reading("rate", "/s", 2.0, 0.95), Reading("CPU", "us", 6.0)],
        "registry": [Reading("rate", "/s", 1.0)],
    },
    {
        "hubmirror": [Reading("rate", "/s", 3.0, 0.5), Reading("CPU", "us", 8.0)],
        "nginx": [Reading("rate", "/s", 6.0, 0.95), Reading("CPU", "us", 2.0)],
        "registry": [Reading("rate", "/s", 1.0)],
    },
    {
        "hubmirror": [Reading("rate", "/s", 4.0, 0.5), Reading("CPU", "us", 8.0)],
        "nginx": [Reading("rate", "/s", 4.0, 0.95), Reading("CPU", "us", 2.0)],
        "registry": [Reading("rate", "/s", 1.0)],
    },
]


def bases(quantity: str) -> Bases:
    """Only the rate is aimed at."""
    return {"hubmirror": {"nginx": Aim(least=1.0) if quantity == "rate" else None}}


def test_each_quantity_is_compared_round_by_round() -> None:
    """In the order in which it was read; who was not asked is left out."""
    row = row_of("manifests", ROUNDS, bases)
    assert [(one.quantity, one.peer, one.samples) for one in row.series] == [
        ("rate", "hubmirror", (2.0, 3.0, 4.0)),
        ("rate", "nginx", (2.0, 6.0, 4.0)),
        ("rate", "registry", (1.0, 1.0, 1.0)),
        ("CPU", "hubmirror", (6.0, 8.0, 8.0)),
        ("CPU", "nginx", (6.0, 2.0, 2.0)),
    ]
    assert (row.series[0].ratio, row.series[0].meets_aim) == (1.0, True)
    assert (row.series[3].ratio, row.series[3].meets_aim) == (4.0, None)


def test_errors_are_told() -> None:
    """They are not in the value, but who gives them is not well."""
    sample = {"hubmirror": [Reading("rate", "/s", 2.0, failed=0.25)]}
    (note,) = row_of("manifests", [sample], bases).notes
    assert "hubmirror (25.00%)" in note


def test_a_client_that_may_be_the_limit_is_told() -> None:
    """By name of whom it limits: that peer could be faster."""
    (note,) = row_of("manifests", ROUNDS, bases).notes
    assert note.startswith("rate: the client")
    assert "nginx (0.95)" in note
    assert "hubmirror" not in note
