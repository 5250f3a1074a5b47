"""When a certificate is to be renewed, and when to try again what has failed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from attrs import frozen
from cryptography import x509

__all__ = ["LEAST_PAUSE", "Suggestion", "pause_after", "renewal_of"]

#: Between a failure and the next try, in seconds; the last one from then on. The first is for what
#: was only just starting. Let's Encrypt takes five failed validations of a name an hour: these are
#: as many, and few later on.
_PAUSES: Final = (10.0, 300.0, 900.0, 1800.0, 3600.0, 3 * 3600.0, 6 * 3600.0)
#: Each is longer or shorter by up to this share, by chance: not all should come at once after an
#: outage of the server.
_JITTER: Final = 0.2
#: A server that asks for more time is given it, up to a day, in seconds.
_MOST_ASKED: Final = 86_400.0
#: Once less than this is left of a certificate's life, an hour is the longest pause.
_URGENT: Final = 0.1
_LONGEST_WHEN_URGENT: Final = 3600.0
LEAST_PAUSE: Final = _PAUSES[0] * (1 - _JITTER)


@frozen
class Suggestion:
    """When the server would have a certificate renewed (RFC 9773): None: it says nothing.

    ``ask_again`` is when to ask for it again.
    """

    at: datetime | None
    ask_again: datetime


def renewal_of(leaf: x509.Certificate, suggestion: Suggestion | None = None) -> datetime:
    """When two thirds of its life are over, or when the server suggests, within its life."""
    begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    suggested = None if suggestion is None else suggestion.at
    if suggested is not None and suggested < end:
        return suggested
    return begin + (end - begin) * 2 / 3


def pause_after(
    failures: int,
    chance: float,
    asked: float | None = None,
    left: timedelta | None = None,
    life: timedelta | None = None,
) -> float:
    """How long to wait after so many failures in a row (1 for the first), in seconds.

    ``chance`` is a random number from 0 to 1; ``asked`` what the server wants in seconds (its
    ``Retry-After``); ``left`` and ``life`` are of the certificate in force, if there is one.
    """
    pause = _PAUSES[min(failures, len(_PAUSES)) - 1]
    if left is not None and life and left / life < _URGENT:
        pause = min(pause, _LONGEST_WHEN_URGENT)
    pause *= 1 + _JITTER * (2 * chance - 1)
    return max(pause, min(asked or 0.0, _MOST_ASKED))
