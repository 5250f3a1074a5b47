"""TOML that is somebody else's."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from hubmirror.clients.files import SetupError
from hubmirror.clients.toml_file import list_at, read_toml, table_at, value_at, with_values

PATH = PurePosixPath("/etc/x.toml")


def test_values_are_set_and_all_else_stays() -> None:
    """Comments, order and indentation are a person's."""
    before = b'# top\n[a]  # one\n  x = 1 # two\n\n[b]\ny = "z"\n'

    after = with_values(PATH, before, {("a", "x"): 2, ("c", "d.e", "f"): ["g"]}).decode()

    assert after == ('# top\n[a]  # one\n  x = 2 # two\n\n[b]\ny = "z"\n\n[c."d.e"]\nf = ["g"]\n')


@pytest.mark.parametrize(
    "before",
    [
        b'a = "text"\n',  # where a table is wanted
        b"[[a]]\nx = 1\n",
    ],
)
def test_what_would_be_lost_is_not_touched(before: bytes) -> None:
    """The error says what to set by hand."""
    with pytest.raises(SetupError, match=r"by hand a\.x = 2"):
        with_values(PATH, before, {("a", "x"): 2})


def test_a_mistake_of_the_library_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it wrote is read again, and must say what was meant."""
    monkeypatch.setattr("tomlkit.dumps", lambda _: "[a]\nx = 2\n")

    with pytest.raises(SetupError, match="without harm"):
        with_values(PATH, b"[a]\nx = 1\ny = 1\n", {("a", "x"): 2})


@pytest.mark.parametrize("content", [b"a", b"\xff", b"a = 1\na = 2", b"a = " + b"[" * 9999])
def test_what_is_no_toml_is_refused(content: bytes) -> None:
    """The error names the file."""
    with pytest.raises(SetupError, match=r"/etc/x\.toml is not valid TOML"):
        read_toml(PATH, content)


def test_looking_never_fails() -> None:
    """Whatever stands where a table was thought to be."""
    document = {"a": {"b": [1]}, "c": 2}

    assert value_at(document, ("a", "b")) == [1]
    assert value_at(document, ("a", "b", "c")) is None
    assert table_at(document, ("c",)) == {}
    assert list_at(document, ("c",)) == [2]
    assert list_at(document, ("d",)) == []
