"""The policy's parts, put together from a configuration: ``tap.py``'s own next room."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from hubmirror.config import Config
from hubmirror.coordination.flights import Flights
from hubmirror.coordination.marks import Marks
from hubmirror.mirror.blobs import Blobs, RemoteBlobs
from hubmirror.mirror.forgiving import ForgivingIndex
from hubmirror.mirror.listings import Listings
from hubmirror.mirror.manifests import Manifests
from hubmirror.mirror.mirror import Mirror
from hubmirror.mirror.negatives import Negatives
from hubmirror.mirror.origin import IOrigin, Origin
from hubmirror.mirror.outage import Doorway
from hubmirror.mirror.patience import Patience
from hubmirror.mirror.prefetch import Prefetch
from hubmirror.mirror.rights import Rights
from hubmirror.mirror.search import Searches
from hubmirror.mirror.tags import Tags, TagTimes
from hubmirror.naming import Repository, Scope
from hubmirror.question import BlobRequest, Question
from hubmirror.quota.quota import Quota
from hubmirror.storage import Storage
from hubmirror.tokens.grants import Grants
from hubmirror.tokens.holders import Holders
from hubmirror.tokens.issuer import Issuer
from hubmirror.tokens.own import OwnTokens
from hubmirror.tokens.proxy import TokenProxy
from hubmirror.upstream.blobs import RemoteBlob
from hubmirror.upstream.client import UpstreamClient
from hubmirror.upstream.registry import RemoteRegistry

__all__ = ["Policy", "compose_policy"]


@frozen
class Policy:
    """The mirror, and what of it goes on behind its answers."""

    mirror: Mirror
    own: OwnTokens
    patience: Patience
    issuer: Issuer

    def credential(self, repository: Repository) -> str:
        """A token of our own, under which the mirror asks as itself."""
        scope = Scope("repository", repository.name, ("pull",))
        return f"Bearer {self.issuer.issue([scope], 300)['token']}"

    def close(self) -> None:
        """End what goes on behind."""
        self.mirror.prefetch.close()
        self.patience.settle()


def compose_policy(
    clock: IReactorTime,
    now: Callable[[], float],
    config: Config,
    quota: Quota,
    storage: Storage,
    client: UpstreamClient,
    registry: RemoteRegistry,
    marks: Marks | None = None,
) -> Policy:
    """The policy that ``config`` describes, over what ``storage`` keeps and one upstream.

    ``now`` is the wall clock, in seconds since the epoch; ``marks`` are for other processes.
    """
    flights, index = Flights(), ForgivingIndex(storage.index)
    patience = Patience(clock, config.patience)
    grants = Grants(now, config.right_ttl)
    issuer = Issuer(config.data / "token.key", now)
    is_account = config.auth == "mirror"
    login = config.upstream_login if is_account else None
    own = OwnTokens(client, registry, login, flights=flights, clock=clock, now=now)
    origin = Origin(registry, own, issuer, grants, is_account=is_account)
    rights = Rights(
        index,
        grants,
        flights,
        patience,
        now,
        public_ttl=config.public_ttl,
        is_open_mirror=is_account,
    )
    blobs = Blobs(
        index,
        storage.blobs,
        rights,
        storage.fetcher,
        storage.arrivals,
        _remote_blobs(client, registry, rights),
        now,
    )
    prefetch = Prefetch(index, blobs.bring, patience, clock, is_on=config.prefetch)
    manifests = Manifests(index, storage.blobs, rights, storage.arrivals, now, prefetch.begin)
    times = TagTimes(
        config.tag_ttl,
        config.stale_while_revalidate,
        config.stale_for,
        config.when_deleted == "keep",
    )
    holders = Holders(now, marks=marks)
    tokens = TokenProxy(client, registry, holders, library_prefix=config.uses_library_prefix)
    mirror = Mirror(
        quota,
        holders,
        origin,
        Doorway(tokens, issuer, patience, index, is_open_mirror=is_account),
        manifests,
        Tags(index, manifests, rights, flights, patience, now, times),
        blobs,
        Listings(index, rights, flights, patience, now, times),
        Negatives(config.negative_ttl, now),
        prefetch,
        keeps=config.cache,
        is_account=is_account,
        searches=Searches(client, config.search_url, flights, patience, now),
    )
    return Policy(mirror, own, patience, issuer)


def _remote_blobs(client: UpstreamClient, registry: RemoteRegistry, rights: Rights) -> RemoteBlobs:
    async def remote(question: Question, request: BlobRequest, origin: IOrigin) -> RemoteBlob:
        """The way to a blob: of a public repository under the mirror's own credential, so that

        it outlives the client; else under the client's, for as long as the client is there.
        """
        is_public = await rights.is_public(question, request.repository, origin)
        way = origin.as_mirror() if is_public else origin
        return RemoteBlob(
            client,
            registry,
            request.repository,
            request.digest,
            lambda: way.authorization(question),
            needs_reader=not is_public,
        )

    return remote
