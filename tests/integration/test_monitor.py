"""Those who watch a running mirror: what it tells them is what ``/openapi.json`` says."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.support.mirror import Mirror, MirrorStarter
from tests.support.programs import run

pytestmark = pytest.mark.integration

SCHEMATHESIS = Path(sys.executable).with_name("st")
#: Where nothing answers: there is an outage to tell of.
NOWHERE = "http://127.0.0.1:9"
#: Which steps a range may have is said in words alone: OpenAPI binds no parameter to another.
CONFIGURATION = """
[[operations]]
include-path = "/quota/history"
checks.positive_data_acceptance.expected-statuses = [200, 400]
"""


@pytest.fixture
def watched(start: MirrorStarter) -> Mirror:
    """A mirror that has something to tell."""
    mirror = start("serve", "--http", "127.0.0.1:0", "--upstream", NOWHERE)
    assert mirror.ask("/v2/library/busybox/tags/list").status in (502, 504)
    return mirror


def test_all_answers_are_as_described(watched: Mirror, tmp_path: Path) -> None:
    """Whatever schemathesis makes up to ask; a stream has no end, so it is not for this, and the

    images are the upstream's.
    """
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    run(
        SCHEMATHESIS,
        *("--config-file", configuration, "run", f"{watched.url}/openapi.json", "--checks", "all"),
        *("--include-method", "GET", "--exclude-path", "/quota/stream"),
        *("--exclude-path-regex", "^/(image|v1)/"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "8"),
        *("--generation-deterministic", "--no-color"),
        seconds=300,
    )
    assert "Traceback" not in watched.program.text()


def test_the_stream_tells_what_is_described(watched: Mirror) -> None:
    """Its events are ``/quota``'s; they come as things happen."""
    document = json.loads(watched.ask("/openapi.json").body)
    now = jsonschema_rs.Draft202012Validator(
        {"$ref": "#/components/schemas/Now", "components": document["components"]},
        validate_formats=True,
    )
    connection = watched.connect()
    connection.request("GET", "/quota/stream")
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream"
    first = next_event(response)
    now.validate(first)
    watched.ask("/v2/")
    while next_event(response)["used"] == first["used"]:
        pass
    connection.close()


def test_a_stream_does_not_hold_the_daemon(watched: Mirror) -> None:
    """SIGTERM ends it well, long before ``shutdown_grace``."""
    connection = watched.connect()
    connection.request("GET", "/quota/stream")
    response = connection.getresponse()
    next_event(response)
    watched.program.signal(signal.SIGTERM)
    assert watched.program.wait(seconds=10) == 0
    while response.readline():
        pass
    assert response.isclosed()
    connection.close()


def next_event(response: Any) -> Any:
    """The data of the next event of a stream."""
    while not (line := response.readline()).startswith(b"data: "):
        assert line, "the stream is over"
    return json.loads(line[6:])
