"""What manifests and indexes refer to; whatever is odd about one is an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.cache.manifest import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_MANIFEST,
    Descriptor,
    Platform,
    is_manifest,
    references,
)
from hubmirror.errors import ManifestInvalid
from tests.cache.kept import INDEX, LAYER, MANIFEST, described
from tests.cache.memory import digest_of

_ONE, _TWO = digest_of(b"one"), digest_of(b"two")


def _manifest(**changes: Any) -> dict[str, Any]:
    config, layer = described("a/config", _ONE, 3), described(LAYER, _TWO, 4)
    return {"schemaVersion": 2, "config": config, "layers": [layer], **changes}


def _index(**changes: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "manifests": [described(MANIFEST, _ONE)], **changes}


@pytest.mark.parametrize("media_type", sorted(MANIFEST_TYPES))
def test_a_manifest(media_type: str) -> None:
    """It refers to its config, then to its layers, and not to its subject."""
    body = _manifest(mediaType=media_type, subject=described(MANIFEST, digest_of(b"subject")))
    assert references(media_type, json.dumps(body).encode()) == (
        Descriptor("a/config", _ONE, 3),
        Descriptor(LAYER, _TWO, 4),
    )


@pytest.mark.parametrize("media_type", sorted(INDEX_TYPES))
def test_an_index(media_type: str) -> None:
    """It refers to its manifests, each with its platform where it has one."""
    arm = {"os": "linux", "architecture": "arm", "variant": "v7", "features": []}
    manifests = [
        {**described(MANIFEST, _ONE), "platform": arm},
        {**described(MANIFEST, _TWO), "platform": {"os": "linux", "architecture": "amd64"}},
        {**described(INDEX, _TWO), "platform": {"os": "linux"}},
    ]
    found = references(media_type, json.dumps(_index(manifests=manifests)).encode())
    assert [descriptor.platform for descriptor in found] == [
        Platform("linux", "arm", "v7"),
        Platform("linux", "amd64"),
        None,
    ]


@pytest.mark.parametrize("part", ["os", "architecture", "variant"])
def test_a_platform_that_is_too_long_is_none(part: str) -> None:
    """Rules compare it, letter by letter, and remember it."""
    for length, is_one in ((64, True), (65, False)):
        platform = {"os": "linux", "architecture": "arm", part: "x" * length}
        body = _index(manifests=[{**described(MANIFEST, _ONE), "platform": platform}])
        (found,) = references(INDEX, json.dumps(body).encode())
        assert (found.platform is not None) == is_one


def test_parameters_and_case() -> None:
    """A media type is one in any case, and with a charset."""
    assert is_manifest("Application/VND.oci.image.Manifest.v1+json; charset=utf-8")
    assert len(references(MANIFEST.upper() + ";a=b", json.dumps(_manifest()).encode())) == 2


def test_other_types() -> None:
    """What is of another type refers to nothing that could be told."""
    assert not is_manifest(LAYER)
    assert references("application/json", json.dumps(_manifest()).encode()) == ()


@pytest.mark.parametrize(
    "body",
    [
        [],
        _manifest(schemaVersion=1),
        _manifest(schemaVersion=None),
        _manifest(mediaType=INDEX),
        _manifest(manifests=[]),
        _manifest(config=None),
        _manifest(layers=None),
        _manifest(layers={"a": 1}),
        _manifest(layers=[described(LAYER, _ONE), "x"]),
        _manifest(layers=[{**described(LAYER, _ONE), "digest": "sha256:../../etc/passwd"}]),
        _manifest(layers=[{**described(LAYER, _ONE), "digest": 7}]),
        _manifest(layers=[described(LAYER, _ONE, -1)]),
        _manifest(layers=[described(LAYER, _ONE, 2**63)]),
        _manifest(layers=[{**described(LAYER, _ONE), "size": True}]),
        _manifest(layers=[{**described(LAYER, _ONE), "size": 1.5}]),
        _manifest(layers=[{"digest": str(_ONE), "size": 1}]),
    ],
)
def test_odd_manifests(body: object) -> None:
    """What breaks the specification is an error of the spec's."""
    with pytest.raises(ManifestInvalid):
        references(MANIFEST, json.dumps(body).encode())


@pytest.mark.parametrize("body", [_index(layers=[]), _index(config={}), _index(manifests=None)])
def test_odd_indexes(body: object) -> None:
    """An index that could be taken for a manifest is neither."""
    with pytest.raises(ManifestInvalid):
        references(INDEX, json.dumps(body).encode())


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[" * 100_000, b"{" + b" " * MAX_MANIFEST + b"}", b"9" * 5000]
)
def test_what_is_no_json(body: bytes) -> None:
    """Neither depth nor length does harm."""
    with pytest.raises(ManifestInvalid):
        references(MANIFEST, body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(("config", "layers", "mediaType", "subject")), _JSON))
def test_any_json(changes: dict[str, object]) -> None:
    """Any document gives descriptors or the one error."""
    try:
        found = references(MANIFEST, json.dumps(_manifest(**changes)).encode())
    except ManifestInvalid:
        return
    assert all(isinstance(descriptor, Descriptor) for descriptor in found)
