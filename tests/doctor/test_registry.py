"""One registry, looked at step by step; each server is one in memory."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Final

import pytest
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from twisted.web.server import Request
from zope.interface import implementer

from hubmirror.doctor.findings import Finding, Severity
from hubmirror.doctor.outside import Outside
from hubmirror.doctor.registry import RegistryCheck, Target, default_image
from hubmirror.errors import UpstreamFailure
from hubmirror.upstream.client import TimeLimits, UpstreamClient, http_client
from hubmirror.upstream.guard import AddressGuard
from hubmirror.upstream.pacing import Pacing
from hubmirror.upstream.resolver import GuardedResolver
from tests.upstream.remote import Remote, Served, result_of

URL: Final = "https://hub.example"
TOKENS: Final = "https://auth.example/token"
NOW: Final = 1_800_000_000.0
LAYER: Final = f"sha256:{'1' * 64}"
CHILD: Final = f"sha256:{'2' * 64}"
INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
IMAGE: Final = ("team/tool", "1")
MANIFEST: Final = f"{URL}/v2/team/tool/manifests/1"


def part(digest: str, kind: str = "application/json") -> dict[str, object]:
    """What a manifest says of one of its parts."""
    return {"mediaType": kind, "digest": digest, "size": 1}


def document(kind: str, **values: object) -> Served:
    """A manifest."""
    body = json.dumps({"schemaVersion": 2, "mediaType": kind, **values}).encode()
    pulls = ("RateLimit-Remaining", "76;w=21600")
    digest = ("Docker-Content-Digest", CHILD)
    return Served(200, (("Content-Type", kind), pulls, digest), body)


def dated(seconds: float = NOW) -> tuple[str, str]:
    """What time it is there."""
    return ("Date", formatdate(seconds, usegmt=True))


def challenge(*more: tuple[str, str]) -> Served:
    """The answer of ``/v2/``."""
    return Served(401, (("WWW-Authenticate", f'Bearer realm="{TOKENS}",service="s"'), *more))


class Timeless(Remote):
    """Servers that tell no time but the one in their answers."""

    def render(self, request: Request) -> bytes:
        """See ``Resource``."""
        request.responseHeaders.removeHeader(b"date")
        return super().render(request)


@pytest.fixture
def remote() -> Remote:
    """A registry that has all, its token server, and the host of its blobs."""
    remote = Timeless()
    token = f"{TOKENS}?service=s&scope=repository%3Ateam%2Ftool%3Apull"
    redirected = Served(307, (("Location", "https://cdn.example/1"),))
    remote.answers = {
        f"{URL}/v2/": challenge(dated()),
        token: Served(200, body=b'{"token": "t"}'),
        MANIFEST: document(INDEX_TYPE, manifests=[part(CHILD, MANIFEST_TYPE)]),
        f"{URL}/v2/team/tool/manifests/{CHILD}": document(
            MANIFEST_TYPE, config=part(LAYER), layers=[]
        ),
        f"{URL}/v2/team/tool/blobs/{LAYER}": redirected,
        "https://cdn.example/1": Served(200, body=b"x"),
    }
    return remote


def outside(client: UpstreamClient, clock: Clock) -> Outside:
    """The network, where it is always ``NOW``."""
    resolver = GuardedResolver(clock, AddressGuard())
    return Outside(clock, lambda: NOW, client, resolver)


def look(remote: Remote, target: Target | None = None) -> dict[str, Finding]:
    """What is found, by the words for it."""
    check = RegistryCheck(outside(remote.client, remote.clock), target or Target(URL, IMAGE))
    return {one.check: one for one in result_of(check.look())}


def test_all_right(remote: Remote) -> None:
    """Each step is told, and the blob host is another."""
    found = look(remote)

    assert list(found) == [
        *("reach", "time", "packets", "token", "manifest", "pulls", "blobs"),
    ]
    assert {one.severity for one in found.values()} == {Severity.OK}
    assert "auth.example" in found["token"].what
    assert "76 more times in 6 hours" in found["pulls"].what
    assert "cdn.example" in found["blobs"].what


def test_no_pull_is_spent(remote: Remote) -> None:
    """Where pulls are counted no manifest is asked for by GET."""
    found = look(remote, Target(URL, IMAGE, counts_pulls=True))

    asked = [(one.method, one.url) for one in remote.asked if "/manifests/" in one.url]
    assert asked == [("HEAD", MANIFEST)]
    assert "would cost a pull" in found["blobs"].what
    assert found["blobs"].severity is Severity.OK


def test_a_blob_of_docker_hub_is_known(remote: Remote) -> None:
    """So its blob host is looked at, too."""
    layer = "sha256:2db29710123e3e53a794f2694094b9b4338aa9ee5c40b930cb8063a1be392c54"
    name = "library/hello-world"
    remote.answers[f"{URL}/v2/{name}/manifests/latest"] = remote.answers[MANIFEST]
    token = f"{TOKENS}?service=s&scope=repository%3Alibrary%2Fhello-world%3Apull"
    remote.answers[token] = Served(200, body=b'{"token": "t"}')
    blob = f"{URL}/v2/{name}/blobs/{layer}"
    remote.answers[blob] = Served(307, (("Location", "https://cdn.example/1"),))

    found = look(remote, Target(URL, default_image("registry-1.docker.io"), counts_pulls=True))

    assert "cdn.example" in found["blobs"].what
    assert all(one.method == "HEAD" for one in remote.asked if "/library/" in one.url)


@pytest.mark.parametrize(
    ("off", "severity", "word"),
    [
        (0, Severity.OK, "agrees"),
        (29, Severity.OK, "agrees"),
        (-31, Severity.WARN, "31 s behind"),
        (301, Severity.FAIL, "301 s ahead of"),
    ],
)
def test_time(remote: Remote, off: float, severity: Severity, word: str) -> None:
    """Our clock beside the registry's."""
    remote.answers[f"{URL}/v2/"] = challenge(dated(NOW - off))

    found = look(remote)["time"]

    assert found.severity is severity
    assert word in found.what


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Nov 2026 00:00:00 GMT"])
def test_time_that_is_not_told(remote: Remote, date: str) -> None:
    """It is no failure."""
    remote.answers[f"{URL}/v2/"] = challenge(("Date", date))

    assert look(remote)["time"].severity is Severity.OK


@pytest.mark.parametrize(
    ("status", "severity"),
    [(200, Severity.OK), (429, Severity.WARN), (404, Severity.FAIL), (503, Severity.FAIL)],
)
def test_what_v2_answers(remote: Remote, status: int, severity: Severity) -> None:
    """What is no registry is asked for nothing more."""
    remote.answers[f"{URL}/v2/"] = Served(status, (dated(),))

    found = look(remote)

    assert found["reach"].severity is severity
    assert ("packets" in found) is (status == 200)


def test_a_token_server_that_fails(remote: Remote) -> None:
    """Nothing is asked for without a token."""
    remote.answers = {url: one for url, one in remote.answers.items() if TOKENS not in url}

    found = look(remote)

    assert found["token"].severity is Severity.FAIL
    assert "auth.example answered 404" in found["token"].what
    assert "manifest" not in found


def test_a_registry_without_an_image_that_is_known(remote: Remote) -> None:
    """Its token server is looked at all the same."""
    remote.answers[TOKENS] = Served(400)
    assert "auth.example answers" in look(remote, Target(URL))["token"].what
    remote.answers[TOKENS] = Served(503)
    assert look(remote, Target(URL))["token"].severity is Severity.FAIL
    remote.answers[f"{URL}/v2/"] = Served(200, (dated(),))
    assert "wants no tokens" in look(remote, Target(URL))["token"].what


@pytest.mark.parametrize(
    ("status", "severity"),
    [(401, Severity.FAIL), (404, Severity.WARN), (500, Severity.FAIL)],
)
def test_a_manifest_that_is_not_given(remote: Remote, status: int, severity: Severity) -> None:
    """A token that is refused, an image that is not there, a registry out of order."""
    remote.answers[MANIFEST] = Served(status)

    found = look(remote)

    assert found["manifest"].severity is severity
    assert "blobs" not in found


def test_no_pull_is_left(remote: Remote) -> None:
    """A warning: what is kept is served on."""
    served = remote.answers[MANIFEST]
    headers = [pair for pair in served.headers if pair[0] != "RateLimit-Remaining"]
    remote.answers[MANIFEST] = Served(
        200, (*headers, ("RateLimit-Remaining", "0;w=21600")), served.body
    )

    assert look(remote)["pulls"].severity is Severity.WARN


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_blob_host_that_fails(remote: Remote, status: int) -> None:
    """The blob itself was to be had."""
    remote.answers["https://cdn.example/1"] = Served(status)

    assert look(remote)["blobs"].severity is Severity.FAIL


def test_an_image_that_is_none(remote: Remote) -> None:
    """A broken answer is told, whatever it is."""
    remote.answers[f"GET {MANIFEST}"] = Served(200, (("Content-Type", INDEX_TYPE),), b"{")

    assert look(remote)["blobs"].severity is Severity.FAIL


@implementer(IAgent)
class Failing:
    """A network that answers small requests, and others never; or that fails."""

    def __init__(self, agent: IAgent | None = None, error: Exception | None = None) -> None:
        self._agent = agent
        self._error = error

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        if self._error is not None:
            return fail(self._error)
        assert self._agent is not None
        if headers is not None and headers.hasHeader(b"X-Padding-0"):
            return Deferred()
        return self._agent.request(method, uri, headers, bodyProducer)


def look_by(agent: IAgent) -> dict[str, Finding]:
    """What is found by way of ``agent``, when all time is over."""
    clock, results = Clock(), list[dict[str, Finding]]()
    limits = TimeLimits(response=5, stall=5)
    client = UpstreamClient(http_client(agent), clock, limits, Pacing(clock), retries=0)
    check = RegistryCheck(outside(client, clock), Target(URL, IMAGE))
    looking = Deferred.fromCoroutine(check.look())
    looking.addCallback(lambda found: results.append({one.check: one for one in found}))
    clock.advance(6)
    return results[0]


def test_large_packets_that_are_lost(remote: Remote) -> None:
    """Small ones come through: that is what a wrong MTU looks like."""
    found = look_by(Failing(RequestTraversalAgent(remote)))

    assert found["reach"].severity is Severity.OK
    assert found["packets"].severity is Severity.FAIL
    assert "mtu" in found["packets"].do


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (UpstreamFailure("the certificate of hub.example is not trusted: it has expired"), "clock"),
        (UpstreamFailure("hub.example refused the connection"), "firewall"),
    ],
)
def test_a_registry_that_can_not_be_reached(error: Exception, word: str) -> None:
    """It is told once, with what to do; all else would fail by it."""
    found = look_by(Failing(error=error))

    assert list(found) == ["reach"]
    assert found["reach"].what == str(error)
    assert word in found["reach"].do
