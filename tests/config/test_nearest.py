"""Tests of the suggestion for a mistyped name."""

from hubmirror.config.nearest import nearest


def test_finds_a_transposition() -> None:
    """Two swapped letters still lead to the name that was meant."""
    assert nearest("qouta", ["http", "quota", "data"]) == "quota"


def test_heeds_neither_case_nor_dashes() -> None:
    """A flag's spelling of a key is the key, which is answered as it is known."""
    assert nearest("PUBLIC-URL", ["public_url", "http"]) == "public_url"


def test_finds_nothing_alike() -> None:
    """A name that looks like no other has no nearest one."""
    assert nearest("zzz", ["http", "quota"]) is None
