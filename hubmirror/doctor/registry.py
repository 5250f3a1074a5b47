"""One registry, an upstream or the mirror itself: is it there, does it give what a pull needs.

No pull is spent: a HEAD of a manifest is free at Docker Hub, and so are blobs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import Final

from attrs import frozen

from hubmirror.cache.manifest import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_MANIFEST,
    Descriptor,
    references,
)
from hubmirror.coordination.flights import Flights
from hubmirror.doctor.findings import Finding, fail, ok, warn
from hubmirror.doctor.outside import Outside
from hubmirror.errors import NotFound, RegistryError, UpstreamFailure, UpstreamTimeout
from hubmirror.naming import Digest, Repository, Tag, parse_digest
from hubmirror.question import BlobRequest, Client, ManifestRequest, Question
from hubmirror.tokens.own import OwnTokens
from hubmirror.upstream.body import read
from hubmirror.upstream.client import Reply
from hubmirror.upstream.redirects import follow
from hubmirror.upstream.registry import RemoteRegistry
from hubmirror.upstream.url import origin_of

__all__ = ["RegistryCheck", "Target", "default_image"]

#: Answers that take longer than this, in seconds, are told of.
_SLOW: Final = 1.5
#: A clock that is off by so many seconds is told of, and is a failure: tokens have short lives.
_OFF: Final = 30.0
_FAR_OFF: Final = 300.0
#: A request with such fields leaves in several packets of full size.
_PADDING: Final = tuple((f"X-Padding-{number}", "x" * 1900) for number in range(2))
_ACCEPT: Final = tuple(sorted(INDEX_TYPES | MANIFEST_TYPES))
_ASKER: Final = Client(address="", public_url="", user_agent="hubmirror-doctor")
#: A small public image of each registry that is well known, by the host that serves it.
_IMAGES: Final = {
    "registry-1.docker.io": ("library/hello-world", "latest"),
    "ghcr.io": ("linuxcontainers/alpine", "latest"),
    "quay.io": ("quay/busybox", "latest"),
    "registry.k8s.io": ("pause", "3.9"),
    "mcr.microsoft.com": ("hello-world", "latest"),
    "public.ecr.aws": ("docker/library/hello-world", "latest"),
}
#: Blobs of Docker Hub's hello-world: to learn of one costs a pull.
_KNOWN_BLOBS: Final = (
    "sha256:2db29710123e3e53a794f2694094b9b4338aa9ee5c40b930cb8063a1be392c54",
    "sha256:feb5d9fea6a5e9606aa995e879d862b825965ba48de054caab5ef356dc6b3412",
)
_MTU_ADVICE: Final = (
    "where small packets pass and large ones do not, the MTU is too large for a tunnel on the way:"
    " try a smaller one (ip link set dev eth0 mtu 1400), or sysctl net.ipv4.tcp_mtu_probing=1"
)


@frozen
class Target:
    """A registry, by its URL. ``image`` (name and tag) is what is asked for, None for nothing;

    ``counts_pulls``: it counts GETs of manifests, so none is made.
    """

    url: str
    image: tuple[str, str] | None = None
    counts_pulls: bool = False

    @property
    def host(self) -> str:
        """Its host."""
        return origin_of(self.url).host


def default_image(host: str) -> tuple[str, str] | None:
    """A small public image that the registry at ``host`` is known to have."""
    return _IMAGES.get(host)


class RegistryCheck:
    """Looks at ``target``, a step after another; ``login`` is the mirror's own, if it has one.

    ``hints`` are what to do about a certificate that is not trusted.
    """

    def __init__(
        self,
        outside: Outside,
        target: Target,
        login: tuple[str, str] | None = None,
        hint: str = "see upstream_ca, and whether somebody on the way opens TLS",
    ) -> None:
        self._outside = outside
        self._target = target
        self._registry = RemoteRegistry(outside.client, target.url, "hubmirror-doctor")
        self._own = OwnTokens(
            outside.client,
            self._registry,
            login,
            flights=Flights(),
            clock=outside.clock,
            now=outside.now,
        )
        self._hint = hint

    async def look(self) -> Sequence[Finding]:
        """All that is found, up to what makes further steps useless."""
        return [finding async for finding in self._steps()]

    async def _steps(self) -> AsyncIterator[Finding]:
        try:
            reply = await self._ping(())
        except UpstreamFailure as error:
            yield fail("reach", error.message, self._advice(error))
            return
        yield self._reached(reply)
        yield self._clock(reply)
        if reply.status not in (200, 401):
            return
        yield await self._large_packets()
        if self._target.image is None:
            yield await self._token_server()
            return
        async for finding in self._image(*self._target.image):
            yield finding

    async def _ping(self, more: tuple[tuple[str, str], ...]) -> Reply:
        headers = (("User-Agent", "hubmirror-doctor"), *more)
        reply = await follow(self._outside.client, "GET", f"{self._target.url}/v2/", headers)
        reply.body.discard()
        return reply

    def _reached(self, reply: Reply) -> Finding:
        host, told = self._target.host, f"{reply.seconds:.2f} s"
        if reply.status == 429:
            return warn(
                "reach",
                f"{host} asks for a pause (429)",
                "it has had too many requests from this address: wait, or share it with fewer",
            )
        if reply.status not in (200, 401):
            return fail(
                "reach",
                f"{host} answers {reply.status} on /v2/, in {told}",
                "it is out of order, or it is no registry: see its URL",
            )
        if reply.seconds > _SLOW:
            return warn("reach", f"{host} answers, but in {told}", "is the way there that long?")
        return ok("reach", f"{host} answers in {told}")

    def _clock(self, reply: Reply) -> Finding:
        host = self._target.host
        try:
            there = parsedate_to_datetime(reply.header("Date") or "").timestamp()
        except (TypeError, ValueError, IndexError, OverflowError):
            return ok("time", f"{host} does not tell the time, so the clock was not compared")
        off = self._outside.now() - there
        told = (
            f"this clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} that of {host}"
        )
        advice = "set the clock (timedatectl set-ntp true): tokens and certificates have times"
        if abs(off) >= _FAR_OFF:
            return fail("time", told, advice)
        if abs(off) >= _OFF:
            return warn("time", told, advice)
        return ok("time", f"this clock agrees with that of {host}")

    async def _large_packets(self) -> Finding:
        host = self._target.host
        try:
            await self._ping(_PADDING)
        except UpstreamTimeout:
            return fail(
                "packets", f"{host} answers small requests, but not one of 4 kB", _MTU_ADVICE
            )
        except UpstreamFailure as error:
            return warn("packets", f"a request of 4 kB failed: {error.message}", _MTU_ADVICE)
        return ok("packets", f"packets of full size come through to {host}")

    async def _image(self, name: str, tag: str) -> AsyncIterator[Finding]:
        repository = Repository(self._target.host, name)
        try:
            credential = await self._own.authorization(repository)
            yield await self._granted(credential)
            reply = await self._manifest("HEAD", repository, Tag(tag), credential)
        except UpstreamFailure as error:
            yield fail("token", error.message, self._advice(error))
            return
        for finding in self._held(reply, f"{name}:{tag}"):
            yield finding
        if reply.status == 200:
            yield await self._blobs(repository, Tag(tag), credential, reply)

    async def _token_server(self) -> Finding:
        """Whether it is there; which image to ask for a token for is not known."""
        try:
            url = (await self._registry.realm()).url
            reply = await follow(self._outside.client, "GET", url)
        except NotFound:
            return ok("token", f"{self._target.host} wants no tokens")
        except UpstreamFailure as error:
            return fail("token", error.message, self._advice(error))
        reply.body.discard()
        host = origin_of(url).host
        if reply.status >= 500:
            return fail("token", f"{host} answers {reply.status}", "it is out of order")
        return ok("token", f"{host} answers; to try a pull, name a public image with --image")

    async def _granted(self, credential: str | None) -> Finding:
        host = self._target.host
        try:
            server = origin_of((await self._registry.realm()).url).host
        except NotFound:
            return ok("token", f"{host} wants no tokens")
        if credential is None:
            return warn("token", f"{server} gives nobody a token unasked", "it takes a login")
        return ok("token", f"{server} gives tokens")

    async def _manifest(
        self, method: str, repository: Repository, reference: Tag | Digest, credential: str | None
    ) -> Reply:
        subject = ManifestRequest(repository, reference)
        question = Question(method, subject, _ASKER, credential, _ACCEPT)
        return await self._registry.ask(question)

    def _held(self, reply: Reply, image: str) -> Iterator[Finding]:
        host = self._target.host
        reply.body.discard()
        if reply.status == 200:
            yield ok("manifest", f"{host} has {image}")
            yield from _pulls(reply)
        elif reply.status in (401, 403):
            yield fail(
                "manifest",
                f"{host} answers {reply.status} for {image}, with a token",
                "the token is not accepted: see the clock, and the account",
            )
        elif reply.status == 404:
            yield warn("manifest", f"{host} has no {image}", "name another with --image")
        else:
            yield fail(
                "manifest", f"{host} answers {reply.status} for {image}", "see its status page"
            )

    async def _blobs(
        self, repository: Repository, tag: Tag, credential: str | None, manifest: Reply
    ) -> Finding:
        """The host of the blobs, by the first blob that is there."""
        try:
            for digest in await self._candidates(repository, tag, credential, manifest):
                question = Question("HEAD", BlobRequest(repository, digest), _ASKER, credential)
                reply = await self._registry.ask(question)
                reply.body.discard()
                if reply.status == 200:
                    return ok("blobs", f"{origin_of(reply.url).host} gives blobs")
        except RegistryError as error:
            return fail("blobs", error.message, "see whether a firewall lets this host through")
        if self._target.counts_pulls:
            return ok("blobs", "the host of the blobs was not asked: that would cost a pull")
        return fail("blobs", f"{self._target.host} does not give the image's blobs", "try a pull")

    async def _candidates(
        self, repository: Repository, tag: Tag, credential: str | None, manifest: Reply
    ) -> list[Digest]:
        if self._target.counts_pulls:
            own = manifest.header("Docker-Content-Digest")
            known = _KNOWN_BLOBS if repository.name == "library/hello-world" else ()
            return [parse_digest(one) for one in (*known, *([own] if own else []))]
        parts, is_index = await self._parts(repository, tag, credential)
        if is_index and parts:
            parts, _ = await self._parts(repository, parts[0].digest, credential)
        return [part.digest for part in parts[:1]]

    async def _parts(
        self, repository: Repository, reference: Tag | Digest, credential: str | None
    ) -> tuple[tuple[Descriptor, ...], bool]:
        """What a manifest is made of, and whether that is other manifests."""
        reply = await self._manifest("GET", repository, reference, credential)
        content = await read(reply.body, MAX_MANIFEST)
        kind = reply.header("Content-Type") or ""
        return references(kind, content), kind.partition(";")[0].strip() in INDEX_TYPES

    def _advice(self, error: UpstreamFailure) -> str:
        if "certificate" in error.message:
            return f"{self._hint}; a wrong clock makes certificates invalid, too"
        if isinstance(error, UpstreamTimeout):
            return f"a firewall drops it, or the network is down; {_MTU_ADVICE}"
        return "see the network, the firewall, and whether it takes a proxy (egress_proxy)"


def _pulls(reply: Reply) -> Iterator[Finding]:
    """What is left of Docker Hub's own limit, which each answer for a manifest tells."""
    left, _, window = (reply.header("RateLimit-Remaining") or "").partition(";")
    if not left.isascii() or not left.isdigit():
        return
    hours = window.removeprefix("w=")
    told = f" in {int(hours) // 3600} hours" if hours.isascii() and hours.isdigit() else ""
    if int(left) == 0:
        yield warn(
            "pulls",
            f"of Docker Hub's own limit no pull is left{told}",
            "what is kept is served on; an account (auth = mirror) has more",
        )
    else:
        yield ok("pulls", f"Docker Hub lets this mirror pull {left} more times{told}")
