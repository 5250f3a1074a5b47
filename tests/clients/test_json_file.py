"""JSON that is somebody else's."""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.clients.files import SetupError
from hubmirror.clients.json_file import read_object, texts_of, write_object

PATH = PurePosixPath("/etc/docker/daemon.json")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(st.text(), values, max_size=5), st.sampled_from([None, b"{\n\t", b"{\n   a"])
)
def test_what_is_read_is_written(value: dict[str, object], before: bytes | None) -> None:
    """Whatever an object holds, and however it is indented."""
    assert read_object(PATH, write_object(value, before)) == value


@given(st.binary(max_size=40))
def test_whatever_it_holds_it_is_read_or_refused(content: bytes) -> None:
    """Nothing but an object, or a ``SetupError``."""
    with suppress(SetupError):
        assert isinstance(read_object(PATH, content), dict)


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xef\xbb\xbf{}"])
def test_an_empty_file_is_an_empty_object(content: bytes | None) -> None:
    """So dockerd takes it, with a byte order mark or without."""
    assert read_object(PATH, content) == {}


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1,}',
        b"[]",
        b'{"a": NaN}',
        b'{"a": {"b": 1, "b": 2}}',
        b"\xff",
        b'{"a": ' + b"[" * 100_000,
        b'{"a": ' + b"1" * 10_000 + b"}",
    ],
)
def test_what_could_not_be_written_again_is_refused(content: bytes) -> None:
    """Among it a key that stands twice: one of its values would be lost."""
    with pytest.raises(SetupError, match=r"daemon\.json .*mend it first"):
        read_object(PATH, content)


def test_numbers_stay_as_they_are_written() -> None:
    """A float that Python would round or write otherwise."""
    text = b'{\n    "a": 1.10,\n    "b": 1e400,\n    "c": 12345678901234567890\n}\n'

    assert write_object(read_object(PATH, text), text) == text


def test_half_a_surrogate_pair_stays() -> None:
    """It has no UTF-8."""
    text = b'{"a": "\\ud800"}'

    assert read_object(PATH, write_object(read_object(PATH, text))) == {"a": "\ud800"}


@pytest.mark.parametrize("value", ["a", [1], {"a": "b"}, False])
def test_a_list_of_texts_is_nothing_else(value: object) -> None:
    """A client would not start with it."""
    with pytest.raises(SetupError, match="registry-mirrors that is no list"):
        texts_of(PATH, {"registry-mirrors": value}, "registry-mirrors")
