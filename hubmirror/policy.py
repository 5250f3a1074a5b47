"""The policy's parts, put together from a configuration: ``tap.py``'s own next room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from hubmirror.access.gate import IAccess, OpenAccess
from hubmirror.access.office import TokenOffice
from hubmirror.admission import Admission
from hubmirror.config import Config
from hubmirror.connecting import Connect, Connected
from hubmirror.coordination.flights import Flights
from hubmirror.coordination.marks import Marks
from hubmirror.mirror.blobs import Blobs, RemoteBlobs
from hubmirror.mirror.forgiving import ForgivingIndex
from hubmirror.mirror.guarded import GuardedDoorway
from hubmirror.mirror.listings import Listings
from hubmirror.mirror.manifests import Manifests
from hubmirror.mirror.mirror import Mirror
from hubmirror.mirror.mirrored import MirroredRegistry
from hubmirror.mirror.negatives import Negatives
from hubmirror.mirror.origin import IOrigin, Origin
from hubmirror.mirror.outage import Doorway, IDoorway
from hubmirror.mirror.patience import Patience
from hubmirror.mirror.prefetch import Prefetch
from hubmirror.mirror.reviewing import Platforms, Reviewing
from hubmirror.mirror.rights import Rights
from hubmirror.mirror.search import Searches
from hubmirror.mirror.standing_in import BlobWithStandIns, OriginWithStandIns
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
from hubmirror.upstream.blobs import IRemoteBlob, RemoteBlob

__all__ = ["Policy", "Registry", "compose_policy"]

#: How many registries that no table names, but ``allow_upstreams`` allows, are at hand at once.
MOST_ALLOWED: Final = 64


@frozen
class Registry:
    """One registry: what is kept of it, the way to it, and what goes on behind its answers."""

    name: str
    url: str
    mirrored: MirroredRegistry
    connected: Connected
    stand_ins: Sequence[Connected]
    own: OwnTokens
    patience: Patience

    async def close(self) -> None:
        """End what goes on behind."""
        self.mirrored.prefetch.close()
        self.patience.settle()
        for one in (self.connected, *self.stand_ins):
            await one.close()


class Policy:
    """The mirror, and its registries: those of ``config`` from the start, others as they are

    asked for, which ``make`` makes; of these the least used goes, when there are too many.
    """

    def __init__(
        self,
        config: Config,
        quota: Quota,
        holders: Holders,
        issuer: Issuer,
        make: Callable[[str], Registry],
        access: IAccess,
        reviewing: Reviewing | None,
    ) -> None:
        self._registries = config.registries
        self._issuer = issuer
        self._make = make
        self._named = {one.name: make(one.name) for one in (config.default, *config.upstreams)}
        self._allowed: OrderedDict[str, Registry] = OrderedDict()
        self.default = self._named[config.default.name]
        self._named[""] = self.default
        self.mirror = Mirror(quota, holders, self._mirrored, access, reviewing)

    def registries(self) -> Iterator[Registry]:
        """All that are at hand, the default one first."""
        yield self.default
        others = (*self._named.values(), *self._allowed.values())
        yield from (one for one in others if one is not self.default)

    def credential(self, repository: Repository) -> str:
        """A token of our own, under which the mirror asks as itself."""
        scope = Scope("repository", repository.name, ("pull",))
        return f"Bearer {self._issuer.issue([scope], 300)['token']}"

    async def close(self) -> None:
        """End what goes on behind."""
        for registry in self.registries():
            await registry.close()

    def _mirrored(self, name: str) -> MirroredRegistry:
        registry = self._named.get(name) or self._allowed.get(name)
        own = name if registry is not None else self._registries.find(name)
        if own != name:
            return self._mirrored(own)
        if registry is None:
            registry = self._allowed[name] = self._make(name)
            if len(self._allowed) > MOST_ALLOWED:
                _, least = self._allowed.popitem(last=False)
                Deferred.fromCoroutine(least.close())
        elif name in self._allowed:
            self._allowed.move_to_end(name)
        return registry.mirrored


def compose_policy(
    clock: IReactorTime,
    now: Callable[[], float],
    config: Config,
    quota: Quota,
    storage: Storage,
    connect: Connect,
    marks: Marks | None = None,
    admission: Admission | None = None,
) -> Policy:
    """The policy that ``config`` describes, over what ``storage`` keeps.

    ``now`` is the wall clock, in seconds since the epoch; ``marks`` are for other processes;
    without ``admission`` everybody may use it.
    """
    holders = Holders(now, marks=marks)
    issuer = Issuer(config.data / "token.key", now)
    default = config.default.name
    access = OpenAccess() if admission is None else admission.access
    office = None if admission is None else admission.office

    def make(name: str) -> Registry:
        upstream = config.called(name)
        towards = config.towards(upstream)
        is_metered = name == default or towards.is_docker_hub
        stand_ins = [connect(evolve(towards, upstream=url)) for url in upstream.fallbacks]
        return _compose(
            clock,
            now,
            towards,
            name,
            storage,
            connect(towards),
            stand_ins,
            holders,
            issuer,
            office,
            is_metered=is_metered,
        )

    index = ForgivingIndex(storage.index)
    reviewing = None
    if access.is_about_content or access.asks_for_logins:
        reviewing = Reviewing(access, Platforms(index, storage.blobs))
    return Policy(config, quota, holders, issuer, make, access, reviewing)


def _compose(
    clock: IReactorTime,
    now: Callable[[], float],
    config: Config,
    name: str,
    storage: Storage,
    connected: Connected,
    stand_ins: Sequence[Connected],
    holders: Holders,
    issuer: Issuer,
    office: TokenOffice | None,
    *,
    is_metered: bool,
) -> Registry:
    """The registry at the ``upstream`` of ``config``."""
    client, registry = connected.client, connected.registry
    flights, index = Flights(), ForgivingIndex(storage.index)
    patience = Patience(clock, config.patience)
    grants = Grants(now, config.right_ttl)
    is_account = config.pulls_as_itself
    login = config.upstream_login if is_account else None
    own = OwnTokens(client, registry, login, flights=flights, clock=clock, now=now)
    origin: IOrigin = Origin(registry, own, issuer, grants, is_account=is_account)

    def anonymous(one: Connected) -> IOrigin:
        own = OwnTokens(one.client, one.registry, None, flights=Flights(), clock=clock, now=now)
        return Origin(one.registry, own, issuer, grants, is_account=False).as_mirror()

    others = {anonymous(one): one for one in stand_ins}
    if others:
        origin = OriginWithStandIns(origin, tuple(others))
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
        _remote_blobs(connected, rights, others),
        now,
    )
    prefetch = Prefetch(index, blobs.bring, patience, clock, is_on=config.prefetch)
    manifests = Manifests(index, storage.blobs, rights, storage.arrivals, now, prefetch.begin)
    keeps_deleted = config.when_deleted == "keep"
    times = TagTimes(config.tag_ttl, config.stale_while_revalidate, config.stale_for, keeps_deleted)
    tokens = TokenProxy(client, registry, holders, name, library_prefix=config.uses_library_prefix)
    doorway: IDoorway = Doorway(
        tokens,
        issuer,
        patience,
        index,
        is_open_mirror=is_account,
        is_never_empty=bool(stand_ins),
    )
    if office is not None:
        doorway = GuardedDoorway(office)
    mirrored = MirroredRegistry(
        origin,
        doorway,
        manifests,
        Tags(index, manifests, rights, flights, patience, now, times),
        blobs,
        Listings(index, rights, flights, patience, now, times),
        Negatives(config.negative_ttl, now),
        prefetch,
        Searches(client, config.search_url, flights, patience, now),
        keeps=config.cache,
        is_account=is_account,
        is_metered=is_metered,
    )
    return Registry(name, config.upstream, mirrored, connected, stand_ins, own, patience)


def _remote_blobs(
    connected: Connected, rights: Rights, others: Mapping[IOrigin, Connected]
) -> RemoteBlobs:
    async def remote(question: Question, request: BlobRequest, origin: IOrigin) -> IRemoteBlob:
        """The way to a blob: of a public repository under the mirror's own credential, so that

        it outlives the client; else under the client's, for as long as the client is there.
        """
        is_public = await rights.is_public(question, request.repository, origin)
        way = origin.as_mirror() if is_public else origin
        first = blob(connected, way, question, request, needs_reader=not is_public)
        stand_ins = [blob(one, other, question, request) for other, one in others.items()]
        return BlobWithStandIns(first, stand_ins) if stand_ins else first

    def blob(
        at: Connected,
        way: IOrigin,
        question: Question,
        request: BlobRequest,
        *,
        needs_reader: bool = False,
    ) -> IRemoteBlob:
        return RemoteBlob(
            at.client,
            at.registry,
            request.repository,
            request.digest,
            lambda: way.authorization(question),
            needs_reader=needs_reader,
        )

    return remote
