"""curl speaks to the mirror: headers, ranges, pages, preflight, TLS."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from attrs import frozen

from hubmirror.demo.image import hello_image
from tests.support.hub import TAGS
from tests.support.mirror import Mirror
from tests.support.programs import run
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

#: Headers that differ from one answer to the next; a GET alone is a pull that the Hub counts.
VOLATILE = {"date", "x-request-id"}
VOLATILE |= {"ratelimit-limit", "ratelimit-remaining", "docker-ratelimit-source"}


@frozen
class Curl:
    """curl with the mirror's CA and a token for ``busybox``."""

    mirror: Mirror
    token: str

    def __call__(self, path: str, *options: str | Path, status: int | None = 0) -> str:
        """Get ``path``; returns what curl prints."""
        trust = ("--cacert", self.mirror.ca) if self.mirror.ca else ()
        authorization = ("--header", f"Authorization: {self.token}")
        url = f"{self.mirror.url}{path}"
        arguments = ("--silent", "--show-error", *trust, *authorization, *options, url)
        return run("curl", *arguments, status=status)

    def headers(self, path: str, *options: str) -> dict[str, str]:
        """The header fields of the answer to ``path``, names in lower case."""
        printed = self(path, "--output", "/dev/null", "--dump-header", "-", *options)
        fields = (line.partition(":") for line in printed.splitlines()[1:] if line)
        return {name.lower(): value.strip() for name, _, value in fields}


@pytest.fixture
def curl(mirror: Mirror) -> Curl:
    """The mirror under test, by curl."""
    return Curl(mirror, mirror.bearer("busybox")["Authorization"])


def test_blob(curl: Curl, tmp_path: Path) -> None:
    """A blob comes whole, through the redirect that the mirror followed, its digest right."""
    digest = hello_image().blobs[1].digest

    curl(f"/v2/library/busybox/blobs/{digest}", "--output", tmp_path / "blob", "--fail")

    assert hashlib.sha256((tmp_path / "blob").read_bytes()).hexdigest() == digest.encoded


def test_range(curl: Curl, tmp_path: Path) -> None:
    """A range of a blob is 206 with just these bytes."""
    digest = hello_image().blobs[1].digest
    path = f"/v2/library/busybox/blobs/{digest}"
    curl(path, "--output", tmp_path / "whole", "--fail")

    options = ("--range", "3-9", "--output", str(tmp_path / "part"))
    printed = curl(path, *options, "--write-out", "%{http_code}")

    assert printed == "206"
    assert (tmp_path / "part").read_bytes() == (tmp_path / "whole").read_bytes()[3:10]


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
def test_head_equals_get(curl: Curl, kind: str) -> None:
    """A HEAD has the header fields of the GET, the length included: here of what is kept."""
    image = hello_image()
    digest = {"manifests": image.index.digest, "blobs": image.blobs[0].digest}[kind]
    path = f"/v2/library/busybox/{kind}/{digest}"
    accept = ("--header", f"Accept: {image.index.media_type}")

    wait_until(lambda: "; hit;" in curl.headers(path, *accept)["cache-status"], "a hit")

    got, head = curl.headers(path, *accept), curl.headers(path, *accept, "--head")

    assert int(head["content-length"]) > 0
    assert {name: value for name, value in got.items() if name not in VOLATILE} == {
        name: value for name, value in head.items() if name not in VOLATILE
    }


def test_not_modified(curl: Curl) -> None:
    """A manifest that the client has is 304."""
    image = hello_image()
    path = f"/v2/busybox/manifests/{image.index.digest}"
    accept = ("--header", f"Accept: {image.index.media_type}")
    etag = curl.headers(path, *accept)["etag"]

    condition = ("--header", f"If-None-Match: {etag}")
    printed = curl(
        path, *accept, *condition, "--output", "/dev/null", "--write-out", "%{http_code}"
    )

    assert printed == "304"


def test_pages_of_tags(curl: Curl) -> None:
    """``Link`` leads from page to page of tags, on the mirror all the way."""
    path, tags = "/v2/busybox/tags/list?n=2", []
    while path:
        tags += json.loads(curl(path))["tags"]
        link = curl.headers(path).get("link", "")
        path = link and _target(link, curl.mirror)

    assert tags == list(TAGS)


def _target(link: str, mirror: Mirror) -> str:
    found = re.fullmatch(r'<([^>]*)>; *rel="?next"?', link)
    assert found is not None, link
    path = found[1].removeprefix(mirror.url)
    assert path.startswith("/v2/"), link
    return path


def test_preflight(curl: Curl) -> None:
    """``OPTIONS`` is 204 on any path, with the Worker's header fields."""
    options = ("--request", "OPTIONS", "--header", "Access-Control-Request-Headers: x")

    printed = curl("/v2/busybox/manifests/1.0", *options, "--dump-header", "-").lower()

    assert " 204 " in printed.splitlines()[0]
    assert "access-control-allow-origin: *" in printed
    assert "access-control-max-age: 1728000" in printed


@pytest.mark.parametrize("mirror", ["https"], indirect=True)
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tls_versions(curl: Curl, version: str) -> None:
    """TLS 1.2 and 1.3 are spoken, the certificate verified by the CA alone."""
    versions = (f"--tlsv{version}", "--tls-max", version)

    assert curl("/quota", *versions, "--write-out", "%{ssl_verify_result}").endswith("0")


@pytest.mark.parametrize("mirror", ["https"], indirect=True)
def test_old_tls(curl: Curl) -> None:
    """TLS 1.1 is refused."""
    printed = curl("/quota", "--tls-max", "1.1", "--ciphers", "ALL@SECLEVEL=0", status=None)

    assert "TLS" in printed or "SSL" in printed
