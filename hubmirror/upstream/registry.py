"""One upstream registry: questions in, its answers out."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from attrs import evolve

from hubmirror.errors import NotFound, UpstreamFailure
from hubmirror.question import (
    BlobRequest,
    CatalogRequest,
    Headers,
    ManifestRequest,
    Ping,
    Question,
    ReferrersRequest,
    Subject,
    TagsRequest,
)
from hubmirror.upstream.client import Reply, UpstreamClient
from hubmirror.upstream.headers import end_to_end
from hubmirror.upstream.realm import Realm, RealmMemory, realm_of
from hubmirror.upstream.redirects import follow
from hubmirror.upstream.url import checked_url, origin_of

__all__ = ["Realm", "RemoteRegistry"]


class RemoteRegistry:
    """The registry at ``url``, which is http(s) and may have a path before ``/v2/``.

    ``user_agent`` is what the mirror's own requests say. Raises ``ValueError`` for another URL.
    """

    def __init__(self, client: UpstreamClient, url: str, user_agent: str = "hubmirror") -> None:
        self._client = client
        self._url = checked_url(url).rstrip("/")
        self._user_agent = user_agent
        self._realm = RealmMemory(self._ask_for_realm)

    async def ask(self, question: Question) -> Reply:
        """The registry's answer, whatever its status; redirects are followed.

        Its headers are end-to-end ones. Raises ``UpstreamFailure`` where there is none.
        """
        url = self.url_of(question.subject)
        reply = await follow(self._client, question.method, url, _headers(question))
        self._learn(reply)
        return evolve(reply, headers=end_to_end(reply.headers))

    def url_of(self, subject: Subject) -> str:
        """Where ``ask`` begins: an answer from another URL has been redirected."""
        return self._url + path_of(subject)

    async def realm(self) -> Realm:
        """Where this registry's tokens come from: asked on ``/v2/`` when unknown, remembered.

        A 401 to a question that names another realm replaces it. Raises ``NotFound`` where the
        registry gives no tokens, ``UpstreamFailure`` where it can't be asked.
        """
        return await self._realm.recall()

    def forget_realm(self) -> None:
        """Ask the registry again at the next ``realm()``."""
        self._realm.forget()

    def _learn(self, reply: Reply) -> None:
        if reply.status != 401 or origin_of(reply.url) != origin_of(self._url):
            return
        try:
            realm = realm_of(reply)
        except UpstreamFailure:  # told to the one who asks for the realm
            return
        if realm is not None:
            self._realm.learn(realm)

    async def _ask_for_realm(self) -> Realm:
        reply = await follow(
            self._client, "GET", self._url + "/v2/", (("User-Agent", self._user_agent),)
        )
        reply.body.discard()
        host = origin_of(self._url).host
        if reply.status not in (200, 401):
            raise UpstreamFailure(
                f"{host} answered {reply.status} when asked where its tokens come from",
                headers=_retry_after(reply),
            )
        realm = realm_of(reply) if reply.status == 401 else None
        if realm is None:
            raise NotFound(f"{host} gives no tokens: it asks for none on /v2/")
        return realm


def path_of(subject: Subject) -> str:
    """The path and query that ``subject`` has at any registry.

    Names, tags and digests are of a grammar that needs no escape. Raises ``TypeError`` for a
    subject that is no registry's.
    """
    match subject:
        case Ping():
            return "/v2/"
        case ManifestRequest(repository, reference):
            return f"/v2/{repository.name}/manifests/{reference}"
        case BlobRequest(repository, digest):
            return f"/v2/{repository.name}/blobs/{digest}"
        case TagsRequest(repository, query):
            return f"/v2/{repository.name}/tags/list{_query(query)}"
        case ReferrersRequest(repository, digest, query):
            return f"/v2/{repository.name}/referrers/{digest}{_query(query)}"
        case CatalogRequest(query):
            return f"/v2/_catalog{_query(query)}"
    raise TypeError(f"a registry has no {type(subject).__name__}")


def _query(query: Headers) -> str:
    return "?" + urlencode(query, quote_via=quote, safe="") if query else ""


def _headers(question: Question) -> Headers:
    """The fields that go upstream with ``question``."""
    single = {
        "Authorization": question.credential,
        "Range": question.range,
        "If-Range": question.if_range,
        "If-None-Match": question.if_none_match,
        "User-Agent": question.client.user_agent,
    }
    return (
        *(("Accept", value) for value in question.accept),
        *((name, value) for name, value in single.items() if value is not None),
    )


def _retry_after(reply: Reply) -> dict[str, str]:
    value = reply.header("Retry-After")
    return {} if value is None else {"Retry-After": value}
