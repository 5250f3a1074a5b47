"""The next page of a listing, found on this mirror and not at the upstream.

Source: RFC 8288 for the ``Link`` field; OCI distribution-spec 1.1, "Listing Tags".
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from attrs import frozen

from hubmirror.fields import MAX_FIELD, FieldReader
from hubmirror.question import Headers

__all__ = ["Link", "parse_links", "stay_on_mirror"]

#: What a query may hold unescaped (RFC 3986, section 3.4), and ``%`` for what is escaped.
_QUERY: Final = "/?:@!$&'()*+,;=-._~%"
_TARGET = re.compile(r"<[^<>]*>")
_PATH = re.compile(r"/v2/[A-Za-z0-9._~%/:@!$&'()*+,;=-]*")


@frozen
class Link:
    """One link: its target, a URI reference as it came, and its parameters in their order."""

    target: str
    parameters: Headers = ()

    def parameter(self, name: str) -> str | None:
        """The first parameter called ``name``, in any case; a name without a value is ``""``."""
        wanted = name.lower()
        return next((text for key, text in self.parameters if key.lower() == wanted), None)


def parse_links(value: str) -> tuple[Link, ...]:
    """The links of one field's value; none of them where it is malformed or over 8 KiB."""
    reader = FieldReader(value if len(value) <= MAX_FIELD else "<")
    reader.commas()
    links = []
    while not reader.is_done:
        target = reader.take(_TARGET)
        if target is None:
            return ()
        links.append(Link(target[1:-1].strip(), _take_parameters(reader)))
        if not (reader.commas() or reader.is_done):
            return ()
    return tuple(links)


def stay_on_mirror(value: str, path: str, namespace: str | None = None) -> str | None:
    """The upstream's ``Link`` field as the mirror's own, or None where nothing of it stays.

    ``path`` is the path that the client asked for, still percent-encoded. What stays is the
    link to the next page of that very listing: the upstream's query, on the client's path, with
    the ``ns`` by which the client chose its registry.
    """
    suffix = "" if namespace is None else f"&ns={quote(namespace, safe='')}"
    pages = (_next_page(link, path, suffix) for link in parse_links(value))
    return ", ".join(f'<{page}>; rel="next"' for page in pages if page is not None) or None


def _next_page(link: Link, path: str, suffix: str) -> str | None:
    if "next" not in (link.parameter("rel") or "").lower().split():
        return None
    if link.parameter("anchor") is not None or not _PATH.fullmatch(path):
        return None
    query = _query_of_same_listing(link.target, path)
    return f"{path}?{quote(query, safe=_QUERY)}{suffix}" if query else None


def _query_of_same_listing(target: str, path: str) -> str | None:
    """The query of ``target``, if it leads to a listing of the kind that ``path`` is."""
    if not target.isascii() or not target.isprintable():
        return None
    try:
        parts = urlsplit(urljoin(f"http://upstream{path}", target))
    except ValueError:
        return None
    is_same = parts.scheme in ("http", "https") and _kind(parts.path) == _kind(path)
    return parts.query if is_same else None


def _kind(path: str) -> list[str] | None:
    """What a path lists: the catalog, tags, or the referrers of one digest."""
    _, api, rest = unquote(path).rpartition("/v2/")
    return rest.split("/")[-2:] if api else None


def _take_parameters(reader: FieldReader) -> Headers:
    parameters = []
    while reader.semicolons():
        parameter = reader.parameter()
        if parameter is None:
            name = reader.token()
            if name is None:
                break
            parameter = name, ""
        parameters.append(parameter)
    return tuple(parameters)
