"""The mirror as it stands now, as one JSON object: what ``/quota`` and its stream show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from attrs import frozen

from hubmirror.fetching.fetch import FetchStatus
from hubmirror.naming import Digest, Repository
from hubmirror.quota.accounts import Dimension
from hubmirror.quota.forecast import MINUTES, forecast
from hubmirror.quota.history import Step
from hubmirror.quota.pulls import OURS, HubLimit, Pull
from hubmirror.quota.quota import Quota, WindowStatus
from hubmirror.quota.window import moment, rfc3339
from hubmirror.tokens.credentials import LoginStatus
from hubmirror.upstream.breaker import BreakerStatus
from hubmirror.upstream.url import origin_of

__all__ = ["TOP", "Reporter"]

#: So many of the busiest clients, networks, users and repositories are told of, and so many of
#: those whose pulls Docker Hub counts.
TOP: Final = 10

_Object = dict[str, object]


@frozen
class Reporter:
    """Looks at what it is handed when it is asked.

    ``upstream`` is the registry's URL, ``outages`` those that its breaker knows, ``fetches`` the
    blobs on their way, ``repositories`` of whose repositories a blob is, ``login`` how the
    mirror's own account stands, where it has one. ``clock`` tells the time and ``began`` when the
    process did, in seconds since the epoch.
    """

    quota: Quota
    upstream: str
    outages: Callable[[], Sequence[BreakerStatus]]
    fetches: Callable[[], Sequence[FetchStatus]]
    repositories: Callable[[Digest], Iterable[Repository]]
    login: Callable[[], LoginStatus] | None
    clock: Callable[[], float]
    began: float

    def now(self, *, names: bool) -> _Object:
        """The object that ``openapi.json`` calls ``Now``. Without ``names`` it is of numbers alone:

        it has no client, user, repository, digest, URL or host.
        """
        told = self._limits() | self._numbers()
        if names:
            told |= self._spenders()
        told |= {
            "hub": self._hub(names),
            "upstream": self._upstream(names),
            "fetches": [self._fetch(one, names) for one in self.fetches()],
        }
        if names and self.login is not None:
            login = self.login()
            told["login"] = {"ok": login.ok, "message": login.message}
        return told

    def _limits(self) -> _Object:
        day = self.quota.day()
        return {
            **_window(day),
            "on_exhausted": self.quota.rules.on_exhausted,
            "minute": _window(self.quota.minute()),
            "forecast": self._forecast(day),
        }

    def _forecast(self, day: WindowStatus) -> _Object:
        minutes = self.quota.tally.rows(Step.MINUTE, MINUTES)
        told = forecast(day.used, day.limit, minutes, self.clock(), self.began)
        return {"used_at_reset": told.used_at_reset, "exhausted_at": _time(told.exhausted_at)}

    def _numbers(self) -> _Object:
        today = self.quota.tally.latest(Step.DAY)
        return {"today": today.as_json(), "hit_ratio": today.hit_ratio}

    def _spenders(self) -> _Object:
        return {
            "reserves": [
                {"name": one.name, "size": one.size, "used": one.used}
                for one in self.quota.reserves()
            ],
            "clients": self._clients(),
            "networks": self._top(Dimension.NETWORK),
            "users": self._top(Dimension.USER),
            "repositories": self._top(Dimension.REPOSITORY),
        }

    def _top(self, dimension: Dimension) -> list[_Object]:
        return [entry.as_json() for entry in self.quota.top(dimension, TOP)]

    def _clients(self) -> list[_Object]:
        return [
            {**entry.as_json(), "network": self.quota.network_of(entry.name)}
            for entry in self.quota.top(Dimension.ADDRESS, TOP)
        ]

    def _hub(self, names: bool) -> _Object:
        limits = self.quota.pulls.limits()
        payers = [payer for payer in reversed(limits) if payer != OURS]
        shown = [OURS] * (OURS in limits) + payers
        told: _Object = {
            "limits": [self._hub_limit(payer, limits[payer], names) for payer in shown[:TOP]]
        }
        if names:
            told["pulls"] = [_pull(one) for one in self.quota.pulls.latest()]
        return told

    def _hub_limit(self, payer: str, told: HubLimit, names: bool) -> _Object:
        whose: _Object = {"payer": payer, "source": told.source} if names else {}
        return {
            **whose,
            "limit": told.limit,
            "remaining": told.remaining,
            "window": told.window,
            "seen": _time(told.seen),
            "exhausted_at": _time(self.quota.pulls.exhausted_at(payer)),
        }

    def _upstream(self, names: bool) -> _Object:
        outages = self.outages()
        origin = origin_of(self.upstream)
        since = next((one.open_since for one in outages if one.origin == origin), None)
        told: _Object = {"is_up": since is None, "since": _time(since)}
        if names:
            told["url"] = self.upstream
            told["outages"] = [
                {"host": one.origin.host, "since": _time(one.open_since)} for one in outages
            ]
        return told

    def _fetch(self, status: FetchStatus, names: bool) -> _Object:
        told: _Object = {"size": status.size, "kept": status.have, "readers": status.readers}
        if names:
            found = sorted(one.name for one in self.repositories(status.digest))
            told["digest"] = str(status.digest)
            told["repository"] = found[0] if found else None
        return told


def _window(status: WindowStatus) -> _Object:
    return {
        "limit": status.limit or None,
        "used": status.used,
        "remaining": status.remaining,
        "reset": rfc3339(status.reset),
    }


def _pull(pull: Pull) -> _Object:
    return {"at": _time(pull.at), "client": pull.spender.address, "image": pull.image}


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else rfc3339(moment(seconds))
