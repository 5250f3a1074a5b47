"""An upstream that fails: a 502 that says why in a sentence, as the registry's JSON error."""

from __future__ import annotations

import json

import pytest

from tests.support.hub import Hub
from tests.support.mirror import MirrorStarter

pytestmark = pytest.mark.integration

HTTP = ("--http", "127.0.0.1:0")


def cause(start: MirrorStarter, *options: str) -> str:
    """The message of the error that a mirror with ``options`` answers to a ping."""
    mirror = start("serve", *HTTP, *options)

    answer = mirror.ask("/v2/")

    assert answer.status == 502
    assert answer.headers["Content-Type"] == "application/json"
    assert "Traceback" not in mirror.program.text()
    message: str = json.loads(answer.body)["errors"][0]["message"]
    return message


def test_nobody_listens(start: MirrorStarter) -> None:
    """A refused connection is told as such."""
    assert "refused" in cause(start, "--upstream", "http://127.0.0.1:9")


def test_no_such_host(start: MirrorStarter) -> None:
    """A name that does not exist is named."""
    assert "registry.invalid" in cause(start, "--upstream", "https://registry.invalid")


def test_untrusted_certificate(start: MirrorStarter, hub: Hub) -> None:
    """A certificate that no known CA signed is refused, and told as such."""
    assert "certificate" in cause(start, "--upstream", hub.url)
