"""Tests of the table of settings."""

from __future__ import annotations

import pytest

from hubmirror.config import CONFIG_FILE, SETTINGS, Setting

EVERY = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)


def test_the_three_names_of_a_setting() -> None:
    """Key, flag and variable follow from one another."""
    setting = next(one for one in SETTINGS if one.name == "public_url")
    assert (setting.flag, setting.variable) == ("--public-url", "HUBMIRROR_PUBLIC_URL")


def test_names_are_unique() -> None:
    """No setting hides another, nor the one that names the file."""
    names = [setting.name for setting in (*SETTINGS, CONFIG_FILE)]
    assert len(set(names)) == len(names)


@EVERY
def test_every_default_is_allowed(setting: Setting) -> None:
    """A default goes through the same parser as what people write."""
    setting.parse(setting.default)


@EVERY
def test_every_setting_explains_itself(setting: Setting) -> None:
    """Help is a sentence; what is allowed is a phrase to follow a colon."""
    assert setting.help.endswith(".")
    assert setting.allowed
    assert not setting.allowed.endswith(".")


@EVERY
def test_only_text_that_stands_for_nothing_is_parsed_to_nothing(setting: Setting) -> None:
    """A default that is set has a value; one that is not has none."""
    value = setting.parse(setting.default)
    assert (value in (None, (), {})) == (setting.default in ("", [], {}, "auto"))


def test_spellings_are_unique() -> None:
    """No key of the file could mean two settings."""
    spellings = [spelling for setting in SETTINGS for spelling in setting.spellings]
    assert len(set(spellings)) == len(spellings)
