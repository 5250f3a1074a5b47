"""Tests of one setting, and of the kinds that many share."""

from __future__ import annotations

from attrs import evolve

from hubmirror.config.setting import number_setting, switch_setting, word_setting


def test_the_three_names_of_a_setting() -> None:
    """Key, flag and variable follow from one another."""
    setting = switch_setting("some_thing", "on", "Help.")
    assert (setting.name, setting.flag) == ("some_thing", "--some-thing")
    assert setting.variable == "HUBMIRROR_SOME_THING"


def test_what_is_allowed_is_told() -> None:
    """In the words of the kind, the setting's own bounds in it."""
    assert number_setting("n", 4, 1, 32, "Help.").allowed == "a whole number from 1 to 32"
    assert word_setting("w", ("a", "b", "c"), "Help.").allowed == "a, b or c"


def test_the_first_word_is_the_default() -> None:
    """Unless another is set."""
    setting = word_setting("w", ("keep", "drop"), "Help.")
    assert setting.parse(setting.default) == "keep"


def test_spellings() -> None:
    """A table may be named by the first words of a key, or as the setting says."""
    setting = switch_setting("one_two_three", "on", "Help.")
    assert setting.spellings == ("one_two_three", "one.two_three", "one_two.three")
    assert evolve(setting, name="one", table_key="one.own").spellings == ("one", "one.own")


def test_headers() -> None:
    """A list is of tables that may recur."""
    setting = switch_setting("some_thing", "on", "Help.")
    assert evolve(setting, default={}).header == "[some_thing]"
    assert evolve(setting, default=[], table_key="some.thing").header == "[[some.thing]]"
