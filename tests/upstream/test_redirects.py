"""Redirects are followed as far as is safe, and credentials stay where they belong."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hubmirror.errors import UpstreamFailure, UpstreamRefused
from hubmirror.question import Headers
from hubmirror.upstream.body import read
from hubmirror.upstream.client import Reply
from hubmirror.upstream.redirects import MAX_HOPS, follow
from tests.upstream.remote import Remote, Served, result_of

_HUB = "https://hub.example/v2/a/blobs/sha256:0"
_CDN = "https://cdn.example/blob?sig=secret"
_OTHER = "https://other.example/blob"
_TOKEN = ("Authorization", "Bearer secret")


@pytest.fixture
def remote() -> Remote:
    return Remote()


def _to(location: str, status: int = 307) -> Served:
    return Served(status, (("Location", location),), b"<a>moved</a>")


def _follow(remote: Remote, method: str = "GET", headers: Headers = (), url: str = _HUB) -> Reply:
    return result_of(follow(remote.client, method, url, headers))


def _refused(remote: Remote, url: str = _HUB) -> str:
    """The sentence with which following ``url`` is refused."""
    with pytest.raises(UpstreamRefused) as raised:
        _follow(remote, url=url)
    assert raised.value.status == 502
    assert "secret" not in str(raised.value)
    return raised.value.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_followed(remote: Remote, status: int, method: str) -> None:
    """Each kind of redirect is followed, with the method as it was."""
    remote.answers = {_HUB: _to(_CDN, status), f"{method} {_CDN}": Served(200, body=b"blob")}
    reply = _follow(remote, method)
    assert (reply.status, reply.url) == (200, _CDN)
    assert result_of(read(reply.body, 9)) == (b"" if method == "HEAD" else b"blob")


@pytest.mark.parametrize("status", [300, 304, 305])
def test_not_redirects(remote: Remote, status: int) -> None:
    """Other statuses of the 300s are answers."""
    remote.answers = {_HUB: _to(_CDN, status)}
    assert _follow(remote).status == status


def test_a_form_is_not_redirected(remote: Remote) -> None:
    """A POST, which may hold a password, is not sent on to anywhere."""
    remote.answers = {_HUB: _to(_CDN)}
    assert _follow(remote, "POST").status == 307
    assert remote.urls() == [_HUB]


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/other?x=1", "https://hub.example/other?x=1"),
        ("./sha256:1", "https://hub.example/v2/a/blobs/sha256:1"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("https://cdn.example#fragment", "https://cdn.example/"),
    ],
)
def test_locations(remote: Remote, location: str, url: str) -> None:
    """A relative location is resolved against who answered, and a fragment is dropped."""
    remote.answers = {_HUB: _to(location)}
    assert _follow(remote).url == url


def test_relative_to_the_last_answer(remote: Remote) -> None:
    """The second location is resolved against the second server."""
    remote.answers = {_HUB: _to(_OTHER), _OTHER: _to("/end")}
    assert _follow(remote).url == "https://other.example/end"


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("", "without saying where"),
        ("ftp://cdn.example/", "not an absolute http or https URL"),
        ("sha256:1", "not an absolute http or https URL"),
        ("https://me:secret@cdn.example/", "user name or a password"),
        ("https://cdn.example/a b?secret", "characters"),
        ("ht\ttps://cdn.example/secret", "characters"),
        ("https://cdn.example:99999/", "host or port"),
        ("https://[::1/secret", "host or port"),
        ("http://cdn.example/?secret", "from https to http"),
    ],
)
def test_odd_locations(remote: Remote, location: str, words: str) -> None:
    """A location that is missing, odd or unsafe is a 502 that names the host and the reason."""
    remote.answers = {_HUB: _to(location)}
    message = _refused(remote)
    assert words in message
    assert message.startswith("hub.example redirects ")
    assert remote.urls() == [_HUB]


def test_http_all_the_way(remote: Remote) -> None:
    """An upstream that is http itself may lead to https and to http."""
    start = "http://hub.example/x"
    remote.answers = {start: _to(_CDN), _CDN: _to("http://other.example/")}
    assert _follow(remote, url=start).url == "http://other.example/"


def test_loops(remote: Remote) -> None:
    """A loop is seen when it closes."""
    remote.answers = {_HUB: _to(_CDN), _CDN: _to(_HUB)}
    assert _refused(remote) == "cdn.example redirects in a loop"
    assert remote.urls() == [_HUB, _CDN]


def test_too_many(remote: Remote) -> None:
    """Five redirects are followed, a sixth is not."""
    urls = [_HUB, *(f"https://cdn.example/{number}" for number in range(MAX_HOPS + 1))]
    remote.answers = {url: _to(target) for url, target in pairwise(urls)}
    assert "after 5 redirects" in _refused(remote)
    assert remote.urls() == urls[:-1]
    del remote.answers[urls[MAX_HOPS]]
    assert _follow(remote).url == urls[MAX_HOPS]


def test_credentials_stay(remote: Remote) -> None:
    """Credentials and cookies do not cross to another origin; what asks for content does."""
    crossing = (
        ("Accept", "a/b"),
        ("Accept", "c/d"),
        ("Range", "bytes=5-"),
        ("If-Range", '"e"'),
        ("If-None-Match", '"e"'),
        ("User-Agent", "docker"),
    )
    remote.answers = {_HUB: _to(_CDN), _CDN: Served(200)}
    _follow(remote, headers=(*crossing, _TOKEN, ("Cookie", "a=b"), ("X-Secret", "s")))
    hub, cdn = remote.asked
    assert hub.header("Authorization") == ["Bearer secret"]
    for name in ("Authorization", "Cookie", "X-Secret"):
        assert cdn.header(name) == []
    for name, value in crossing:
        assert value in cdn.header(name)


@pytest.mark.parametrize(
    "target",
    ["https://hub.example:8443/", "https://hub.example.net/", "https://HUB.example:443/x"],
)
def test_what_another_origin_is(remote: Remote, target: str) -> None:
    """Another port or host is another origin; a name in capitals or a default port is none."""
    remote.answers = {_HUB: _to(target)}
    _follow(remote, headers=(_TOKEN,))
    kept = ["Bearer secret"] if "HUB" in target else []
    assert remote.asked[1].header("Authorization") == kept


def test_another_scheme_is_another_origin(remote: Remote) -> None:
    """From http to https of one host, credentials stay behind."""
    remote.answers = {"http://hub.example/x": _to("https://hub.example/x")}
    _follow(remote, headers=(_TOKEN,), url="http://hub.example/x")
    assert remote.asked[1].header("Authorization") == []


def test_dropped_for_good(remote: Remote) -> None:
    """A way back to the first origin does not bring credentials back."""
    back = "https://hub.example/back"
    remote.answers = {_HUB: _to(_CDN), _CDN: _to(back), back: Served(200)}
    _follow(remote, headers=(_TOKEN,))
    assert remote.asked[2].header("Authorization") == []


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_a_refused_head(remote: Remote, status: int) -> None:
    """A HEAD that the blob host refuses is a GET for one byte, answered as the HEAD would be."""
    remote.answers = {
        _HUB: _to(_CDN),
        f"HEAD {_CDN}": Served(status),
        f"GET {_CDN}": Served(
            206, (("Content-Range", "bytes 0-0/12345"), ("Content-Type", "a/b")), b"x"
        ),
    }
    reply = _follow(remote, "HEAD", (("Range", "bytes=5-"), ("User-Agent", "docker")))
    assert (reply.status, reply.header("Content-Length")) == (200, "12345")
    assert reply.header("Content-Type") == "a/b"
    assert reply.header("Content-Range") is None
    assert reply.body.length == 0
    probe = remote.asked[-1]
    assert (probe.method, probe.header("Range")) == ("GET", ["bytes=0-0"])
    assert probe.header("User-Agent") == ["docker"]


@pytest.mark.parametrize(
    ("answer", "length"),
    [
        (Served(200, body=b"all of it"), "9"),
        (Served(206, (("Content-Range", "bytes 0-0/*"),), b"x"), None),
        (Served(416, (("Content-Range", "bytes */0"),)), "0"),
    ],
    ids=["no ranges", "unknown length", "empty"],
)
def test_other_lengths(remote: Remote, answer: Served, length: str | None) -> None:
    """The whole blob, a range of unknown length and an empty blob tell a length, too, or none."""
    remote.answers = {_HUB: _to(_CDN), f"HEAD {_CDN}": Served(403), f"GET {_CDN}": answer}
    reply = _follow(remote, "HEAD")
    assert (reply.status, reply.header("Content-Length")) == (200, length)
    assert reply.body.length == 0


@pytest.mark.parametrize(
    "answer",
    [
        Served(206, (("Content-Range", "bytes 1-1/5"),), b"x"),
        Served(206, body=b"x"),
        Served(416, (("Content-Range", "bytes */5"),)),
    ],
)
def test_another_range_than_asked(remote: Remote, answer: Served) -> None:
    """A server that answers another range than the first byte is not believed."""
    remote.answers = {_HUB: _to(_CDN), f"HEAD {_CDN}": Served(403), f"GET {_CDN}": answer}
    with pytest.raises(UpstreamFailure, match="another range"):
        _follow(remote, "HEAD")


def test_a_get_refused_as_well(remote: Remote) -> None:
    """Where the GET is refused too, its status is the answer, without a body."""
    remote.answers = {_HUB: _to(_CDN), f"HEAD {_CDN}": Served(405), _CDN: Served(403, body=b"no")}
    reply = _follow(remote, "HEAD")
    assert (reply.status, reply.body.length) == (403, 0)


def test_a_head_refused_by_the_registry(remote: Remote) -> None:
    """Without a redirect, a refused HEAD is the registry's own answer."""
    remote.answers = {_HUB: Served(403)}
    assert _follow(remote, "HEAD").status == 403
    assert len(remote.asked) == 1
