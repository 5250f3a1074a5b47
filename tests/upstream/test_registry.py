"""Questions to an upstream registry: the requests they become, and where its tokens are."""

from __future__ import annotations

import pytest

from hubmirror.errors import NotFound, UpstreamFailure
from hubmirror.naming import Digest, Repository, Tag
from hubmirror.question import (
    BlobRequest,
    CatalogRequest,
    Client,
    ManifestRequest,
    Ping,
    Preflight,
    Question,
    ReferrersRequest,
    Subject,
    TagsRequest,
)
from hubmirror.upstream.body import read
from hubmirror.upstream.client import Reply
from hubmirror.upstream.registry import Realm, RemoteRegistry, path_of
from tests.upstream.remote import Remote, Served, result_of

_URL = "https://hub.example"
_BUSYBOX = Repository("docker.io", "library/busybox")
_DIGEST = Digest("sha256", "0" * 64)
_CLIENT = Client("192.0.2.1", "http://mirror.example", "docker/20.10")


@pytest.fixture
def remote() -> Remote:
    return Remote()


def _challenge(realm: str, service: str = "s", status: int = 401) -> Served:
    value = f'Bearer realm="{realm}",service="{service}"'
    return Served(status, (("WWW-Authenticate", value),), b"{}")


def _ask(registry: RemoteRegistry, subject: Subject, method: str = "GET") -> Reply:
    return result_of(registry.ask(Question(method, subject, _CLIENT)))


@pytest.mark.parametrize(
    ("subject", "path"),
    [
        (Ping(), "/v2/"),
        (ManifestRequest(_BUSYBOX, Tag("1.36")), "/v2/library/busybox/manifests/1.36"),
        (ManifestRequest(_BUSYBOX, _DIGEST), f"/v2/library/busybox/manifests/{_DIGEST}"),
        (BlobRequest(_BUSYBOX, _DIGEST), f"/v2/library/busybox/blobs/{_DIGEST}"),
        (TagsRequest(_BUSYBOX), "/v2/library/busybox/tags/list"),
        (
            TagsRequest(_BUSYBOX, (("n", "2"), ("last", "a&b=c d\r\n/"))),
            "/v2/library/busybox/tags/list?n=2&last=a%26b%3Dc%20d%0D%0A%2F",
        ),
        (
            ReferrersRequest(_BUSYBOX, _DIGEST, (("artifactType", "a/b+c"),)),
            f"/v2/library/busybox/referrers/{_DIGEST}?artifactType=a%2Fb%2Bc",
        ),
        (CatalogRequest((("n", "5"),)), "/v2/_catalog?n=5"),
    ],
)
def test_paths(remote: Remote, subject: Subject, path: str) -> None:
    """Each subject has its path at the registry; what a client put in a query is escaped."""
    assert path_of(subject) == path
    _ask(RemoteRegistry(remote.client, _URL), subject)
    assert remote.urls() == [_URL + path]


def test_a_subject_of_another_kind() -> None:
    """A subject that the mirror answers itself has no path at a registry."""
    with pytest.raises(TypeError, match="Preflight"):
        path_of(Preflight())


def test_a_url_with_a_path(remote: Remote) -> None:
    """A registry may live below a path."""
    _ask(RemoteRegistry(remote.client, "http://hub.example:5000/proxy/"), Ping())
    assert remote.urls() == ["http://hub.example:5000/proxy/v2/"]


def test_an_odd_url(remote: Remote) -> None:
    """A configured URL is checked as any other is."""
    with pytest.raises(ValueError, match="user name"):
        RemoteRegistry(remote.client, "https://me@hub.example")


def test_what_goes_upstream(remote: Remote) -> None:
    """All that a question holds goes upstream, each ``Accept`` as a field of its own."""
    question = Question(
        "HEAD",
        BlobRequest(_BUSYBOX, _DIGEST),
        _CLIENT,
        credential="Bearer t",
        accept=("a/b, c/d", "e/f"),
        range="bytes=5-",
        if_range='"e"',
        if_none_match='"f"',
    )
    result_of(RemoteRegistry(remote.client, _URL).ask(question))
    [asked] = remote.asked
    assert asked.method == "HEAD"
    assert asked.header("Accept") == ["a/b, c/d", "e/f"]
    assert asked.header("Authorization") == ["Bearer t"]
    assert asked.header("Range") == ["bytes=5-"]
    assert asked.header("If-Range") == ['"e"']
    assert asked.header("If-None-Match") == ['"f"']
    assert asked.header("User-Agent") == ["docker/20.10"]


def test_what_is_not_in_the_question(remote: Remote) -> None:
    """A field that the client did not send is not sent."""
    _ask(RemoteRegistry(remote.client, _URL), Ping())
    [asked] = remote.asked
    assert {*asked.headers} <= {"host", "user-agent", "accept-encoding", "connection"}


def test_the_answer(remote: Remote) -> None:
    """Status and body come back as they are, with end-to-end headers, from behind redirects."""
    blob = BlobRequest(_BUSYBOX, _DIGEST)
    cdn = "https://cdn.example/x"
    headers = (("ETag", '"e"'), ("Server", "cdn"), ("Set-Cookie", "a=b"))
    remote.answers = {
        _URL + path_of(blob): Served(307, (("Location", cdn),)),
        cdn: Served(206, headers, b"blob"),
    }
    reply = _ask(RemoteRegistry(remote.client, _URL), blob)
    assert (reply.status, reply.url, reply.body.length) == (206, cdn, 4)
    names = {name for name, _ in reply.headers}
    assert "ETag" in names
    assert not names & {"Server", "Set-Cookie", "Date", "Location"}
    assert result_of(read(reply.body, 4)) == b"blob"


def test_the_realm(remote: Remote) -> None:
    """The realm is asked on ``/v2/`` without a credential, once."""
    remote.answers = {f"{_URL}/v2/": _challenge("https://auth.example/token")}
    registry = RemoteRegistry(remote.client, _URL, "hubmirror/1")
    assert result_of(registry.realm()) == Realm("https://auth.example/token", "s")
    assert result_of(registry.realm()) == Realm("https://auth.example/token", "s")
    [asked] = remote.asked
    assert asked.header("User-Agent") == ["hubmirror/1"]
    assert asked.header("Authorization") == []


def test_the_realm_moves(remote: Remote) -> None:
    """A 401 to a question teaches the realm, and a later one another."""
    registry = RemoteRegistry(remote.client, _URL)
    for realm in ("https://auth.example/token", "https://new.example/token"):
        remote.answers = {f"{_URL}/v2/": _challenge(realm)}
        assert _ask(registry, Ping()).status == 401
        assert result_of(registry.realm()) == Realm(realm, "s")
    assert len(remote.asked) == 2


def test_forgetting_the_realm(remote: Remote) -> None:
    """Forgotten, the realm is asked for again."""
    registry = RemoteRegistry(remote.client, _URL)
    remote.answers = {f"{_URL}/v2/": _challenge("https://auth.example/token")}
    result_of(registry.realm())
    remote.answers = {f"{_URL}/v2/": _challenge("https://new.example/token")}
    registry.forget_realm()
    assert result_of(registry.realm()).url == "https://new.example/token"


@pytest.mark.parametrize(
    "served",
    [
        _challenge("https://evil.example/token", status=403),
        _challenge("http://evil.example/token"),
        Served(401, (("WWW-Authenticate", "Basic"),)),
    ],
    ids=["no 401", "not for credentials", "no bearer"],
)
def test_what_teaches_no_realm(remote: Remote, served: Served) -> None:
    """Another status, a realm that is refused or another scheme leaves the realm as it is."""
    registry = RemoteRegistry(remote.client, _URL)
    remote.answers = {f"{_URL}/v2/": _challenge("https://auth.example/token")}
    result_of(registry.realm())
    remote.answers = {f"{_URL}/v2/": served}
    _ask(registry, Ping())
    assert result_of(registry.realm()).url == "https://auth.example/token"


def test_a_blob_host_teaches_no_realm(remote: Remote) -> None:
    """A 401 of another origin says nothing about the registry's tokens."""
    registry = RemoteRegistry(remote.client, _URL)
    remote.answers = {f"{_URL}/v2/": _challenge("https://auth.example/token")}
    result_of(registry.realm())
    cdn = "https://cdn.example/x"
    remote.answers = {
        f"{_URL}/v2/": Served(307, (("Location", cdn),)),
        cdn: _challenge("https://evil.example/token"),
    }
    assert _ask(registry, Ping()).status == 401
    assert result_of(registry.realm()).url == "https://auth.example/token"


@pytest.mark.parametrize("served", [Served(200), Served(401, (("WWW-Authenticate", "Basic"),))])
def test_without_tokens(remote: Remote, served: Served) -> None:
    """A registry that asks for no token has no token server: 404, in clear words."""
    remote.answers = {f"{_URL}/v2/": served}
    with pytest.raises(NotFound, match=r"hub\.example gives no tokens"):
        result_of(RemoteRegistry(remote.client, _URL).realm())


def test_a_registry_that_is_ill(remote: Remote) -> None:
    """A registry that fails to say where its tokens come from is a 502, with its wish to wait."""
    remote.answers = {f"{_URL}/v2/": Served(503, (("Retry-After", "7"),))}
    with pytest.raises(UpstreamFailure, match=r"hub\.example answered 503") as raised:
        result_of(RemoteRegistry(remote.client, _URL).realm())
    assert raised.value.headers == {"Retry-After": "7"}
