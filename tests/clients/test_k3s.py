"""k3s' ``registries.yaml``."""

from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

from hubmirror.clients.files import SetupError
from tests.clients.examples import SECURE, TWO, URL, merged

PLACE = "/etc/rancher/k3s/registries.yaml"
TLS = {"tls": {"ca_file": "/etc/rancher/k3s/hubmirror.crt"}}
BEFORE = """\
# top
mirrors:
  docker.io:   # hub
    endpoint:
    - "https://a"   # first
    - 'https://b'
  quay.io:
    endpoint: ["https://q"]
configs:
  "a:5000":
    auth: {username: u, password: "0123"}   # why
"""


def read(text: str) -> Any:
    """What it says."""
    return YAML(typ="safe").load(text)


def test_new_and_merged_say_the_same() -> None:
    """For each registry the endpoint, and the CA once."""
    for mirror in (SECURE, TWO):
        assert read(merged("k3s", PLACE, mirror)) == read(merged("k3s", PLACE, mirror, "# a\n"))
    assert read(merged("k3s", PLACE, TWO)) == {
        "mirrors": {name: {"endpoint": [URL]} for name in ("docker.io", "ghcr.io")}
    }


def test_what_is_there_stays() -> None:
    """Values, comments, quotes, indentation: but for new lines there is no other difference."""
    after = merged("k3s", PLACE, SECURE, BEFORE)

    expected = read(BEFORE)
    expected["mirrors"]["docker.io"]["endpoint"].insert(0, URL)
    expected["configs"]["hub.example:5443"] = TLS
    assert read(after) == expected
    lines = after.splitlines()
    assert [line for line in BEFORE.splitlines() if line not in lines] == []
    assert merged("k3s", PLACE, SECURE, after) == after


@pytest.mark.parametrize(
    "before", ["mirrors:\n", "mirrors:\n  docker.io:\n", "mirrors: {docker.io: {endpoint: }}\n"]
)
def test_what_is_empty_is_filled(before: str) -> None:
    """A key without a value."""
    after = read(merged("k3s", PLACE, SECURE, before))

    assert after["mirrors"] == {"docker.io": {"endpoint": [URL]}}


@pytest.mark.parametrize(
    "before",
    ["a: [", "- a\n", "mirrors: 3\n", "a: 1\na: 2\n", "mirrors: {docker.io: {endpoint: x}}\n"],
)
def test_what_is_no_such_file_is_refused(before: str) -> None:
    """With its name, and what is wrong."""
    with pytest.raises(SetupError, match=r"registries\.yaml (is|has) .*mend it first"):
        merged("k3s", PLACE, SECURE, before)
