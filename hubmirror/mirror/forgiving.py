"""An index that can't be written to is no client's business: its answer goes out all the same."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.components import proxyForInterface
from twisted.python.failure import Failure

from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.interfaces import BlobRow, IIndex, Link, Listing, Publicity, TagEntry
from hubmirror.naming import Repository

__all__ = ["ForgivingIndex"]

_IndexProxy = proxyForInterface(IIndex, "_index")


class ForgivingIndex(_IndexProxy):  # type: ignore[misc, valid-type]
    """An ``IIndex`` over another, where a disk that takes nothing more costs what would be

    learned, and nothing else. The first failure in a row is logged. ``_index`` is the other.
    """

    _log = Logger()
    _is_failing = False

    def put_tag(self, entry: TagEntry) -> Deferred[None]:
        """See ``IIndex``."""
        return self._try(lambda: self._index.put_tag(entry))

    def put_link(self, link: Link) -> Deferred[None]:
        """See ``IIndex``."""
        return self._try(lambda: self._index.put_link(link))

    def put_publicity(self, repository: Repository, publicity: Publicity) -> Deferred[None]:
        """See ``IIndex``."""
        return self._try(lambda: self._index.put_publicity(repository, publicity))

    def put_listing(self, listing: Listing) -> Deferred[None]:
        """See ``IIndex``."""
        return self._try(lambda: self._index.put_listing(listing))

    def put_blob(self, row: BlobRow) -> Deferred[None]:
        """See ``IIndex``."""
        return self._try(lambda: self._index.put_blob(row))

    def _try(self, put: Callable[[], Deferred[None]]) -> Deferred[None]:
        return put().addCallbacks(self._went_well, self._went_wrong)

    def _went_well(self, _: None) -> None:
        self._is_failing = False

    def _went_wrong(self, failure: Failure) -> None:
        failure.trap(StoreFailed)
        if not self._is_failing:
            self._log.warn("nothing more is learned: {why}", why=failure.getErrorMessage())
        self._is_failing = True
