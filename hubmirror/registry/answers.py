"""An Answer's header fields as this mirror sends them: the same whichever way it is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hubmirror.question import Answer, Headers
from hubmirror.registry.links import stay_on_mirror
from hubmirror.registry.message import Exchange
from hubmirror.upstream.challenge import rewrite_realm

__all__ = ["API_VERSION", "SANDBOX", "fields_of", "has_no_body", "passing_fields"]

#: On everything that the API answers, errors included.
API_VERSION: Final = ("Docker-Distribution-Api-Version", "registry/2.0")
#: On every answer: what an upstream calls a page is of no origin in a browser (W3C CSP 3, section
#: 6.3.2). Ours has the pages for those who watch the mirror.
SANDBOX: Final = ("Content-Security-Policy", "default-src 'none'; sandbox")
#: Statuses whose responses have neither a body nor a length (RFC 9110, section 8.6).
_BODILESS: Final = frozenset((204, 304))
#: Fields that do not pass as they are; the last is on the response already.
_REWRITTEN: Final = frozenset(("www-authenticate", "link", API_VERSION[0].lower()))


def has_no_body(answer: Answer, method: bytes) -> bool:
    """Whether the response ends with its head."""
    return method == b"HEAD" or answer.status in _BODILESS


def fields_of(answer: Answer, length: int | None, exchange: Exchange) -> Headers:
    """The fields of the response to ``exchange``, without what every response carries.

    ``length`` is the body's, None where nobody knows. Challenges send the client to this mirror's
    own ``realm_path``, links stay here.
    """
    is_head = exchange.message.method == b"HEAD"
    passing, is_rewritten = passing_fields(answer.headers, answer.status, length, is_head=is_head)
    return (*passing, *_rewritten(answer, exchange)) if is_rewritten else passing


def passing_fields(
    headers: Headers, status: int, length: int | None, *, is_head: bool
) -> tuple[Headers, bool]:
    """Those of an answer's fields that are the same for whoever asks, the length included.

    Whether they are not all: others are to be rewritten for each exchange.
    """
    names = {name.lower() for name, _ in headers}
    fields = [field for field in headers if field[0].lower() not in _REWRITTEN]
    # An upstream's answer to a HEAD has no bytes: that tells nothing of the length.
    is_known = length is not None and (length or not is_head)
    if is_known and status not in _BODILESS and "content-length" not in names:
        fields.append(("Content-Length", str(length)))
    fields.append(SANDBOX)
    return tuple(fields), not names.isdisjoint(_REWRITTEN)


def _rewritten(answer: Answer, exchange: Exchange) -> Iterator[tuple[str, str]]:
    realm = f"{exchange.client.public_url}{answer.realm_path}"
    for challenge in rewrite_realm(_values(answer, "www-authenticate"), realm):
        yield "WWW-Authenticate", challenge
    path = exchange.message.path.decode("latin-1")
    for link in _values(answer, "link"):
        own = stay_on_mirror(link, path, exchange.message.namespace)
        if own is not None:
            yield "Link", own


def _values(answer: Answer, name: str) -> list[str]:
    return [value for key, value in answer.headers if key.lower() == name]
