"""Redirects are followed here, on the server: the client of a mirror sees none.

Source: RFC 9110, section 15.4; RFC 3986, section 5, for relative locations.
"""

from __future__ import annotations

import re

from attrs import evolve, frozen

from hubmirror.errors import UpstreamFailure, UpstreamRefused
from hubmirror.question import Headers
from hubmirror.upstream.body import EmptyBody
from hubmirror.upstream.client import Reply, UpstreamClient
from hubmirror.upstream.url import origin_of, resolved_url

__all__ = ["MAX_HOPS", "follow"]

#: How many redirects one request may take.
MAX_HOPS = 5

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
#: The fields of a request that another origin may see. ``Authorization`` and cookies are not
#: among them: they are for one origin, and blob hosts answer 400 to them besides.
_FOR_ANY_ORIGIN = frozenset(("accept", "if-none-match", "if-range", "range", "user-agent"))
#: How a blob host refuses a HEAD whose URL is signed for GET only.
_HEAD_REFUSED = frozenset((400, 403, 405, 501))
_ONE_BYTE_RANGE = ("Range", "bytes=0-0")
_CONTENT_RANGE = re.compile(r"bytes (?:0-0|\*)/([0-9]{1,18}|\*)", re.IGNORECASE)


async def follow(client: UpstreamClient, method: str, url: str, headers: Headers = ()) -> Reply:
    """The answer to ``method`` on ``url``, at the end of all redirects.

    Only GET and HEAD are redirected; another method's answer comes as it is. A HEAD that is
    refused behind a redirect is asked again as a GET for one byte, and answered as a HEAD.
    ``Reply.seconds`` is the time of all requests. Raises ``UpstreamRefused`` for a redirect
    that this mirror will not follow, and what ``UpstreamClient.request`` raises.
    """
    hop = _Hop(url, headers)
    if method not in ("GET", "HEAD"):
        return await client.request(method, url, headers)
    reply, hop = await _arrive(client, method, hop)
    if method == "GET" or not hop.visited or reply.status not in _HEAD_REFUSED:
        return reply
    reply.body.discard()
    reply, _ = await _arrive(client, "GET", hop.for_one_byte(reply.seconds))
    return _as_head(reply)


@frozen
class _Hop:
    """The request to be sent next. ``visited`` are the URLs that redirected up to here, and

    ``seconds`` what they took.
    """

    url: str
    headers: Headers
    visited: tuple[str, ...] = ()
    seconds: float = 0.0

    def redirected(self, reply: Reply) -> _Hop:
        """The request that the redirect ``reply`` asks for. Raises ``UpstreamRefused``."""
        host = origin_of(self.url).host
        visited = (*self.visited, self.url)
        target = _target(self.url, reply.header("Location"))
        if target in visited:
            raise UpstreamRefused(f"{host} redirects in a loop")
        if len(visited) > MAX_HOPS:
            raise UpstreamRefused(f"{host} redirects once more after {MAX_HOPS} redirects")
        if visited[0].startswith("https:") and not target.startswith("https:"):
            raise UpstreamRefused(f"{host} redirects from https to http, which anybody may read")
        headers = self.headers
        if origin_of(target) != origin_of(self.url):
            headers = tuple(pair for pair in headers if pair[0].lower() in _FOR_ANY_ORIGIN)
        return _Hop(target, headers, visited, self.seconds + reply.seconds)

    def for_one_byte(self, seconds: float) -> _Hop:
        """The same request for the first byte alone; the refused one took ``seconds`` in all."""
        kept = (pair for pair in self.headers if pair[0].lower() not in ("range", "if-range"))
        return evolve(self, headers=(*kept, _ONE_BYTE_RANGE), seconds=seconds)


async def _arrive(client: UpstreamClient, method: str, hop: _Hop) -> tuple[Reply, _Hop]:
    """The first answer from ``hop`` on that is no redirect, and the request it answers."""
    while True:
        reply = await client.request(method, hop.url, hop.headers)
        if reply.status not in _REDIRECTS:
            return evolve(reply, seconds=hop.seconds + reply.seconds), hop
        reply.body.discard()
        hop = hop.redirected(reply)


def _target(base: str, location: str | None) -> str:
    """Where ``location`` leads to from ``base``. Raises ``UpstreamRefused``."""
    host = origin_of(base).host
    if not location:
        raise UpstreamRefused(f"{host} redirects without saying where to")
    try:
        return resolved_url(base, location)
    except ValueError as error:
        raise UpstreamRefused(f"{host} redirects to what is no good URL: {error}") from None


def _as_head(reply: Reply) -> Reply:
    """The answer that a HEAD would have got, from that to a GET for one byte."""
    length = reply.body.length
    reply.body.discard()
    reply = evolve(reply, body=EmptyBody())
    if reply.status in (206, 416):
        length = _whole_length(reply)
    elif reply.status != 200:
        return reply
    framed = ("content-range", "content-length")
    headers = tuple(pair for pair in reply.headers if pair[0].lower() not in framed)
    if length is not None:
        headers = (*headers, ("Content-Length", str(length)))
    return evolve(reply, status=200, headers=headers)


def _whole_length(reply: Reply) -> int | None:
    """The length in the ``Content-Range`` of a 206, or of a 416: the range of an empty blob."""
    match = _CONTENT_RANGE.fullmatch(reply.header("Content-Range") or "")
    if match is None or (reply.status == 416 and match[1] != "0"):
        host = origin_of(reply.url).host
        raise UpstreamFailure(f"{host} answered a request for one byte with another range")
    return None if match[1] == "*" else int(match[1])
