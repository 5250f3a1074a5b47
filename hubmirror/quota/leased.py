"""The quota where a worker serves: it spends what was leased to it, and never decides more."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define
from zope.interface import implementer

from hubmirror.coordination.leases import Lease
from hubmirror.errors import RegistryError
from hubmirror.question import Outcome, Question
from hubmirror.quota.counters import BYTES_IN, BYTES_OUT, column_of
from hubmirror.quota.kinds import Kind, kind_of
from hubmirror.quota.pulls import Pulls
from hubmirror.quota.quota import Charge, IQuota, Spending, repository_of
from hubmirror.quota.spender import Spender

__all__ = ["LeasedCharge", "LeasedQuota"]

#: By whom and on what something was spent: address, user, repository.
_Party = tuple[str, "str | None", "str | None"]


@define(eq=False)
class _Sum:
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class LeasedCharge(Charge):
    """A request that may be answered here. It counts once it is ``spend``, and not before."""

    __slots__ = ("_is_spent", "_lease", "_outcome", "_sum")

    def __init__(
        self, spender: Spender, kind: Kind, lease: Lease, found: Callable[[], _Sum]
    ) -> None:
        self.spender, self.kind = spender, kind
        self.refusal, self.is_final = None, False
        self._lease = lease
        self._sum = found
        self._outcome = Outcome.ERROR
        self._is_spent = False

    @property
    def is_counted(self) -> bool:
        """Whether it has been answered here."""
        return self._is_spent

    def settle(self, outcome: Outcome) -> None:
        """The request would come out so."""
        self._outcome = outcome

    def spend(self) -> bool:
        """It is answered here: False where nothing is left to spend, so it must not be."""
        if not self._lease.spend():
            return False
        self._is_spent = True
        self._lease.counts[column_of(self.kind, self._outcome)] += 1
        self._sum().requests += 1
        return True

    def moved(self, received: int, sent: int) -> None:
        """So many bytes have come from and gone to the client in the end."""
        if self._is_spent:
            counts, own = self._lease.counts, self._sum()
            counts[BYTES_IN] += received
            counts[BYTES_OUT] += sent
            own.bytes_in += received
            own.bytes_out += sent


class _FreeCharge(LeasedCharge):
    """A request that is refused here, and spends nothing."""

    __slots__ = ()

    def __init__(self, spender: Spender, kind: Kind, lease: Lease, refusal: RegistryError) -> None:
        super().__init__(spender, kind, lease, _Sum)
        self.refusal, self.is_final = refusal, True

    def spend(self) -> bool:
        """Nothing: it is counted, and that is all."""
        self._is_spent = True
        self._lease.counts[column_of(self.kind, self._outcome)] += 1
        return True


@implementer(IQuota)
class LeasedQuota:
    """``lease`` is this worker's; ``elsewhere`` is raised for what is not known here.

    What requests come to is on the board at once. By whom it was spent is taken now and then, by
    whoever brings it to the one who keeps the accounts.
    """

    def __init__(self, lease: Lease, elsewhere: Callable[[], Exception]) -> None:
        self._lease = lease
        self._elsewhere = elsewhere
        self._sums: dict[_Party, _Sum] = {}

    @property
    def pulls(self) -> Pulls:
        """Docker Hub's limit is not known here."""
        raise self._elsewhere()

    def admit(self, question: Question, user: str | None = None) -> LeasedCharge:
        """See ``IQuota``. Raises where nothing is leased."""
        if not self._lease.is_open():
            raise self._elsewhere()
        address = question.client.address
        party = (address, user, repository_of(question))
        spender = Spender(address, None, user)
        return LeasedCharge(spender, kind_of(question), self._lease, lambda: self._of(party))

    def refuse(self, question: Question, refusal: RegistryError) -> LeasedCharge:
        """See ``IQuota``. It is counted as refused, but not to whom."""
        spender = Spender(question.client.address)
        return _FreeCharge(spender, kind_of(question), self._lease, refusal)

    def pulled(self, spender: Spender, question: Question) -> None:  # noqa: ARG002
        """Nothing is pulled from here."""
        raise self._elsewhere()

    def take(self) -> list[Spending]:
        """What was spent since the last call."""
        sums, self._sums = self._sums, {}
        return [
            Spending(*party, one.requests, one.bytes_in, one.bytes_out)
            for party, one in sums.items()
        ]

    def _of(self, party: _Party) -> _Sum:
        found = self._sums.get(party)
        if found is None:
            found = self._sums[party] = _Sum()
        return found
