"""One blob at one registry, opened at any byte, as often as it takes.

Source: OCI distribution-spec 1.1, "Pulling blobs"; RFC 9110, sections 13.1.5 (``If-Range``),
14.2 (``Range``), 14.4 (``Content-Range``) and 15.5.17 (416).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

from attrs import field, frozen
from zope.interface import Attribute, Interface, implementer

from hubmirror.errors import HubmirrorError, UpstreamFailure
from hubmirror.naming import Digest, Repository
from hubmirror.question import Answer, BlobRequest, Client, Headers, IStream, Question
from hubmirror.upstream.body import EmptyBody, read
from hubmirror.upstream.client import Reply, UpstreamClient
from hubmirror.upstream.redirects import follow
from hubmirror.upstream.registry import RemoteRegistry
from hubmirror.upstream.url import origin_of

__all__ = [
    "BlobChanged",
    "BlobHostFailed",
    "BlobPart",
    "IRemoteBlob",
    "Refused",
    "RemoteBlob",
]

#: How a blob host refuses a signed URL whose time is over.
_EXPIRED: Final = frozenset((400, 401, 403, 404, 410))
#: An answer that refuses may have this many bytes.
_REFUSAL_LIMIT: Final = 64 * 1024
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.IGNORECASE)
_UNSATISFIED: Final = re.compile(r"bytes \*/([0-9]{1,18})", re.IGNORECASE)
_STRONG: Final = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


class BlobChanged(UpstreamFailure):
    """The blob host has other bytes under this digest than it had before."""

    default_message = "the blob host's blob has changed while it was fetched"


class BlobHostFailed(UpstreamFailure):
    """The blob host answered, with a trouble of its own that may pass: 408, 429 or 5xx."""


class Refused(HubmirrorError):
    """The upstream answered, but not with the blob. ``answer`` can go to the client as it is."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"the upstream answered {answer.status}")
        self.answer = answer


@frozen
class BlobPart:
    """Bytes [start, end) of a blob of ``size`` bytes, on their way. ``body`` must be sent or

    discarded. ``size`` is None where the host does not say it, and then ``end`` is, too.
    ``validator`` is a strong ETag. Without ``accepts_ranges`` the host sends the whole only.
    """

    start: int
    end: int | None
    size: int | None
    validator: str | None
    accepts_ranges: bool
    body: IStream = field(repr=False)


@frozen
class _Wish:
    """The bytes [start, end) are asked for, of a blob of which this much is known."""

    start: int
    end: int | None
    size: int | None
    validator: str | None

    @property
    def range(self) -> str:
        return f"bytes={self.start}-{'' if self.end is None else self.end - 1}"


class IRemoteBlob(Interface):
    """One blob elsewhere, as one who asks for it may read it."""

    digest: Digest = Attribute("Which.")
    needs_reader: bool = Attribute("Whether it is only for a client who is still there.")

    async def open(
        start: int, end: int | None = None, *, size: int | None = None, validator: str | None = None
    ) -> BlobPart:
        """The bytes [start, end) of the blob; ``end`` None, or too far, is the blob's end.

        ``size`` and ``validator`` are what is known of it already. The part begins elsewhere
        than asked, at 0, where the host refuses ranges, and where ``size`` was not known and
        ``start`` lies behind it. Raises ``Refused``; ``BlobChanged``; ``BlobHostFailed`` or
        another ``UpstreamFailure`` where trying again may help; what the right to it fails with.
        """


@implementer(IRemoteBlob)
class RemoteBlob:
    """The blob ``digest`` of ``repository``, as one who asks for it may read it.

    ``authorize`` gives the ``Authorization`` for the registry, or None for none; it is asked
    before each request, also where the request does not need it, and may raise a
    ``RegistryError`` to end it all. With ``needs_reader`` the credential is a client's own, and
    is not to be used once that client has left.
    """

    def __init__(
        self,
        client: UpstreamClient,
        registry: RemoteRegistry,
        repository: Repository,
        digest: Digest,
        authorize: Callable[[], Awaitable[str | None]],
        *,
        needs_reader: bool = False,
        user_agent: str = "hubmirror",
    ) -> None:
        self.digest = digest
        self.needs_reader = needs_reader
        self._client = client
        self._registry = registry
        self._subject = BlobRequest(repository, digest)
        self._authorize = authorize
        self._user_agent = user_agent
        self._signed_url: str | None = None

    async def open(
        self,
        start: int,
        end: int | None = None,
        *,
        size: int | None = None,
        validator: str | None = None,
    ) -> BlobPart:
        """See ``IRemoteBlob``. Raises what ``authorize`` raises, too."""
        wish = _Wish(start, end, size, validator)
        reply = await self._get(wish.range, validator)
        if reply.status == 416:
            return await self._beyond(reply, wish)
        return await self._part(reply, wish)

    async def _get(self, range_: str | None, validator: str | None) -> Reply:
        credential = await self._authorize()
        if self._signed_url is not None:
            reply = await self._straight(self._signed_url, range_, validator)
            if reply is not None:
                return reply
        client = Client("", "", self._user_agent)
        question = Question(
            "GET", self._subject, client, credential, range=range_, if_range=validator
        )
        reply = await self._registry.ask(question)
        if reply.status in (200, 206) and self._is_elsewhere(reply):
            self._signed_url = reply.url
        return reply

    async def _straight(self, url: str, range_: str | None, validator: str | None) -> Reply | None:
        """The blob host's answer, or None where the registry is to be asked for another URL."""
        fields = {"Range": range_, "If-Range": validator, "User-Agent": self._user_agent}
        headers: Headers = tuple((name, value) for name, value in fields.items() if value)
        try:
            reply = await follow(self._client, "GET", url, headers)
        except UpstreamFailure:
            self._forget(url)
            raise
        if reply.status in _EXPIRED:
            self._forget(url)
            reply.body.discard()
            return None
        return reply

    def _forget(self, url: str) -> None:
        if self._signed_url == url:  # and not a newer one, that another request got
            self._signed_url = None

    def _is_elsewhere(self, reply: Reply) -> bool:
        return reply.url != self._registry.url_of(self._subject)

    async def _part(self, reply: Reply, wish: _Wish, *, is_plain: bool = False) -> BlobPart:
        try:
            if reply.status == 206 and not is_plain:
                return _ranged(reply, wish)
            if reply.status == 200:
                return _whole(reply, wish)
        except UpstreamFailure:
            reply.body.discard()
            raise
        raise await self._refusal(reply)

    async def _refusal(self, reply: Reply) -> Exception:
        """What is raised for an answer that is no blob: a host's own trouble may pass."""
        host = origin_of(reply.url).host
        may_pass = reply.status in (408, 429) or reply.status >= 500
        if (may_pass and self._is_elsewhere(reply)) or reply.status == 206:
            self._forget(reply.url)
            reply.body.discard()
            return BlobHostFailed(f"{host} answered {reply.status} when asked for a blob")
        body = await read(reply.body, _REFUSAL_LIMIT)
        return Refused(Answer(reply.status, reply.headers, body, upstream_seconds=reply.seconds))

    async def _beyond(self, reply: Reply, wish: _Wish) -> BlobPart:
        """A 416: the blob is shorter than was thought, or the host knows no ranges."""
        reply.body.discard()
        match = _UNSATISFIED.fullmatch(reply.header("Content-Range") or "")
        size = None if match is None else int(match[1])
        if size is not None and wish.size not in (None, size):
            raise BlobChanged
        if wish.size is not None:
            host = origin_of(reply.url).host
            raise UpstreamFailure(f"{host} does not send bytes that the blob should have")
        if size == 0:
            return BlobPart(0, 0, 0, _strong_etag(reply), True, EmptyBody())
        if wish.start > 0:
            return await self.open(0, None if wish.end is None else wish.end - wish.start)
        return await self._part(await self._get(None, None), wish, is_plain=True)


def _ranged(reply: Reply, wish: _Wish) -> BlobPart:
    """The part that a 206 brings. Raises ``UpstreamFailure`` for another than was asked."""
    host = origin_of(reply.url).host
    match = _RANGE.fullmatch(reply.header("Content-Range") or "")
    if match is None:
        raise UpstreamFailure(f"{host} sent a part of a blob without saying which")
    start, end = int(match[1]), int(match[2]) + 1
    size = wish.size if match[3] == "*" else int(match[3])
    _check_unchanged(reply, wish, size)
    asked_end = size if wish.end is None else min(wish.end, size or wish.end)
    if start != wish.start or start >= end or (asked_end is not None and end != asked_end):
        raise UpstreamFailure(f"{host} sent another part of a blob than was asked for")
    if reply.body.length not in (None, end - start):
        raise UpstreamFailure(f"{host} lies about the length of a part of a blob")
    return BlobPart(start, end, size, _strong_etag(reply), True, reply.body)


def _whole(reply: Reply, wish: _Wish) -> BlobPart:
    """The part that a 200 brings: all of it. Raises ``BlobChanged``."""
    size = wish.size if reply.body.length is None else reply.body.length
    _check_unchanged(reply, wish, size)
    return BlobPart(0, size, size, _strong_etag(reply), False, reply.body)


def _check_unchanged(reply: Reply, wish: _Wish, size: int | None) -> None:
    validator = _strong_etag(reply)
    if wish.size not in (None, size) or (
        wish.validator is not None and validator not in (None, wish.validator)
    ):
        raise BlobChanged


def _strong_etag(reply: Reply) -> str | None:
    etag = reply.header("ETag") or ""
    return etag if _STRONG.fullmatch(etag) else None
