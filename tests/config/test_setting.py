"""Tests of one setting, and of the kinds that many share."""

from __future__ import annotations

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
