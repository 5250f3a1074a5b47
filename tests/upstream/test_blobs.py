"""A blob is opened at any byte; what comes is what was asked for, or it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hubmirror.errors import Denied, UpstreamFailure
from hubmirror.naming import Digest, Repository
from hubmirror.question import Headers
from hubmirror.upstream.blobs import (
    BlobChanged,
    BlobHostFailed,
    BlobPart,
    Refused,
    RemoteBlob,
)
from hubmirror.upstream.body import read
from hubmirror.upstream.registry import RemoteRegistry
from tests.upstream.remote import Remote, Served, result_of

_HUB = "https://hub.example"
_DIGEST = Digest("sha256", "0" * 64)
_HOME = f"{_HUB}/v2/library/busybox/blobs/{_DIGEST}"
_CDN = "https://cdn.example/blob?sig=secret"
_NEXT = "https://cdn.example/blob?sig=next"


@pytest.fixture
def remote() -> Remote:
    made = Remote()
    made.answers = {_HOME: _to(_CDN), _CDN: _range(0, 4, 10)}
    return made


def _to(url: str) -> Served:
    return Served(307, (("Location", url),))


def _range(start: int, end: int, size: int | str, etag: str = '"v1"', length: int = -1) -> Served:
    headers: Headers = (("Content-Range", f"bytes {start}-{end - 1}/{size}"), ("ETag", etag))
    return Served(206, headers, b"x" * (end - start if length < 0 else length))


def _unsatisfied(size: int | None) -> Served:
    return Served(416, () if size is None else (("Content-Range", f"bytes */{size}"),))


def _blob(remote: Remote, authorize: Callable[[], str | None] = lambda: "Bearer t") -> RemoteBlob:
    async def authorized() -> str | None:
        return authorize()

    registry = RemoteRegistry(remote.client, _HUB)
    repository = Repository("docker.io", "library/busybox")
    return RemoteBlob(remote.client, registry, repository, _DIGEST, authorized)


def _open(blob: RemoteBlob, start: int, end: int | None = None, **known: Any) -> BlobPart:
    return result_of(blob.open(start, end, **known))


def test_the_first_time(remote: Remote) -> None:
    """The registry is asked with the credential, and the blob host without."""
    part = _open(_blob(remote), 0, 4)
    assert (part.start, part.end, part.size) == (0, 4, 10)
    assert (part.validator, part.accepts_ranges) == ('"v1"', True)
    assert result_of(read(part.body, 9)) == b"xxxx"
    hub, cdn = remote.asked
    assert (hub.url, hub.header("Authorization")) == (_HOME, ["Bearer t"])
    assert (cdn.url, cdn.header("Authorization")) == (_CDN, [])
    assert cdn.header("Range") == ["bytes=0-3"]
    assert cdn.header("If-Range") == []


def test_from_then_on(remote: Remote) -> None:
    """Straight to the blob host, with what is known of the blob."""
    blob = _blob(remote)
    _open(blob, 0, 4)
    remote.answers[_CDN] = _range(4, 10, 10)
    _open(blob, 4, None, size=10, validator='"v1"')
    assert remote.urls() == [_HOME, _CDN, _CDN]
    last = remote.asked[-1]
    assert last.header("Authorization") == []
    assert (last.header("Range"), last.header("If-Range")) == (["bytes=4-"], ['"v1"'])


def test_a_registry_that_has_its_blobs(remote: Remote) -> None:
    """Where nothing redirects, the registry is asked each time, with the credential."""
    remote.answers[_HOME] = _range(0, 4, 10)
    blob = _blob(remote)
    _open(blob, 0, 4)
    _open(blob, 0, 4)
    assert remote.urls() == [_HOME, _HOME]
    assert remote.asked[-1].header("Authorization") == ["Bearer t"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_url_that_has_expired(remote: Remote, status: int) -> None:
    """The registry is asked for another, once; what the new one says counts."""
    blob = _blob(remote)
    _open(blob, 0, 4)
    remote.answers.update({_CDN: Served(status), _HOME: _to(_NEXT), _NEXT: _range(4, 8, 10)})
    assert _open(blob, 4, 8, size=10).start == 4
    assert remote.urls()[2:] == [_CDN, _HOME, _NEXT]
    remote.answers[_NEXT] = Served(status, body=b"no")
    with pytest.raises(Refused) as raised:
        _open(blob, 4, 8, size=10)
    assert raised.value.answer.status == status
    assert remote.urls()[5:] == [_NEXT, _HOME, _NEXT]


def test_a_credential_is_asked_for_each_time(remote: Remote) -> None:
    """Also where the request goes without: who may ask no more is stopped so."""
    credentials = ["Bearer a"]

    def authorize() -> str:
        if not credentials:
            raise Denied
        return credentials.pop()

    blob = _blob(remote, authorize)
    _open(blob, 0, 4)
    with pytest.raises(Denied):
        _open(blob, 0, 4)
    assert len(remote.asked) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_the_registrys_own_answer(remote: Remote, status: int) -> None:
    """It can go to the client as it is, and holds nothing that is the mirror's affair."""
    headers = (("WWW-Authenticate", "Bearer x"), ("Retry-After", "3"), ("Server", "nginx"))
    remote.answers[_HOME] = Served(status, headers, b"{}")
    with pytest.raises(Refused) as raised:
        _open(_blob(remote), 0, 4)
    answer = raised.value.answer
    assert (answer.status, answer.body) == (status, b"{}")
    assert answer.header("Retry-After") == "3"
    assert answer.header("Server") is None
    assert answer.upstream_seconds is not None


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_blob_host_in_trouble(remote: Remote, status: int) -> None:
    """That may pass; the registry may then send elsewhere."""
    blob = _blob(remote)
    _open(blob, 0, 4)
    remote.answers[_CDN] = Served(status)
    with pytest.raises(BlobHostFailed, match=r"cdn\.example") as raised:
        _open(blob, 0, 4)
    assert "secret" not in str(raised.value)


def test_a_url_that_is_no_use_is_forgotten(remote: Remote) -> None:
    """After trouble the registry is asked where the blob is now."""
    blob = _blob(remote)
    _open(blob, 0, 4)
    remote.answers[_CDN] = Served(500)
    with pytest.raises(BlobHostFailed):
        _open(blob, 0, 4)
    remote.answers.update({_HOME: _to(_NEXT), _NEXT: _range(0, 4, 10)})
    _open(blob, 0, 4)
    assert remote.urls()[3:] == [_HOME, _NEXT]


def test_ranges_are_refused(remote: Remote) -> None:
    """A 200 is the whole."""
    remote.answers[_CDN] = Served(200, (("ETag", 'W/"weak"'),), b"0123456789")
    part = _open(_blob(remote), 4, 8)
    assert (part.start, part.end, part.size) == (0, 10, 10)
    assert (part.validator, part.accepts_ranges) == (None, False)


@pytest.mark.parametrize(
    ("end", "served"),
    [(20, _range(4, 10, 10)), (None, _range(4, 10, 10)), (8, _range(4, 8, "*"))],
)
def test_a_part_as_asked(remote: Remote, end: int | None, served: Served) -> None:
    """To the blob's end at most; the host need not say the whole length again."""
    remote.answers[_CDN] = served
    part = _open(_blob(remote), 4, end, size=10)
    assert (part.start, part.end, part.size) == (4, min(end or 10, 10), 10)


def test_a_host_that_hides_the_length(remote: Remote) -> None:
    """Then the size is not known, and the caller has to do without."""
    remote.answers[_CDN] = _range(0, 4, "*")
    assert _open(_blob(remote), 0, 4).size is None


@pytest.mark.parametrize(
    "served",
    [
        _range(3, 8, 10),
        _range(4, 7, 10),
        _range(4, 9, 10),
        _range(4, 8, 10, length=3),
        Served(206, (), b"xxxx"),
        Served(206, (("Content-Range", "bytes 4-7"),), b"xxxx"),
        Served(206, (("Content-Range", "bytes 7-4/10"),), b"xxxx"),
        Served(206, (("Content-Range", "items 4-7/10"),), b"xxxx"),
        _unsatisfied(10),
        _unsatisfied(None),
    ],
    ids=range(10),
)
def test_not_as_asked(remote: Remote, served: Served) -> None:
    """Another part than asked for is never taken for it."""
    remote.answers[_CDN] = served
    with pytest.raises(UpstreamFailure) as raised:
        _open(_blob(remote), 4, 8, size=10, validator='"v1"')
    assert not isinstance(raised.value, BlobChanged)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "served",
    [
        _range(4, 8, 11),
        _range(4, 8, 10, '"v2"'),
        Served(200, (), b"x" * 11),
        Served(200, (("ETag", '"v2"'),), b"x" * 10),
        _unsatisfied(3),
    ],
    ids=range(5),
)
def test_another_blob(remote: Remote, served: Served) -> None:
    """Another length, or another strong ETag, is another blob."""
    remote.answers[_CDN] = served
    with pytest.raises(BlobChanged):
        _open(_blob(remote), 4, 8, size=10, validator='"v1"')


def test_an_etag_that_comes_or_goes(remote: Remote) -> None:
    """Nothing can be told from that."""
    remote.answers[_CDN] = Served(206, (("Content-Range", "bytes 4-7/10"),), b"xxxx")
    assert _open(_blob(remote), 4, 8, size=10, validator='"v1"').validator is None
    remote.answers[_CDN] = _range(4, 8, 10)
    assert _open(_blob(remote), 4, 8, size=10).validator == '"v1"'


def test_behind_the_end(remote: Remote) -> None:
    """Who did not know the size gets the front, and learns it."""
    remote.answers[_CDN] = _unsatisfied(10)
    blob = _blob(remote)
    asked: list[str] = []
    front = _range(0, 4, 10)

    class Answers(dict[str, Served]):
        def get(self, key: str, default: Any = None) -> Any:
            if key == _CDN:
                asked.append(key)
                return front if len(asked) > 1 else _unsatisfied(10)
            return super().get(key, default)

    remote.answers = Answers(remote.answers)
    part = _open(blob, 50, 54)
    assert (part.start, part.end, part.size) == (0, 4, 10)
    assert remote.asked[-1].header("Range") == ["bytes=0-3"]


def test_an_empty_blob(remote: Remote) -> None:
    """A 416 is how some say that there is nothing; others send it."""
    remote.answers[_CDN] = _unsatisfied(0)
    part = _open(_blob(remote), 0, 4)
    assert (part.start, part.end, part.size) == (0, 0, 0)
    remote.answers[_CDN] = Served(200)
    part = _open(_blob(remote), 0, 4)
    assert (part.start, part.end, part.size) == (0, 0, 0)
