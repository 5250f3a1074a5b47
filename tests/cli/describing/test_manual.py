"""The manual pages: all is in them, and nothing of it is taken for a command of the formatter."""

from __future__ import annotations

import argparse
from datetime import date

import pytest

from hubmirror.cli.describing.manual import Edition, command_page, settings_page
from hubmirror.cli.describing.tree import command_tree
from hubmirror.config import SETTINGS, Setting

EDITION = Edition("1.2.3", date(2026, 11, 26))


@pytest.fixture(scope="module")
def page() -> str:
    """hubmirror(1), as one reads it."""
    return plain(command_page(command_tree(), EDITION))


def plain(page: str) -> str:
    """``page`` without the marks of its form."""
    for mark in (r"\fB", r"\fI", r"\fR", r"\&"):
        page = page.replace(mark, "")
    return page.replace(r"\-", "-").replace(r"\e", "\\")


def test_the_head_has_name_section_day_and_version(page: str) -> None:
    """By these ``man`` finds it."""
    assert page.startswith(
        '.TH "HUBMIRROR" "1" "2026-11-26" "hubmirror 1.2.3"\n.SH NAME\nhubmirror - '
    )


def test_verbs_are_told_with_what_they_take(page: str) -> None:
    """Those below others, too."""
    assert '.SS "cache import"\n' in page
    assert ".TP\n--name IMAGE\n" in page
    assert ".TP\nbash|zsh|fish\n" in page


def test_what_many_take_is_told_once(page: str) -> None:
    """Not for each verb of the cache."""
    assert page.count("\n--json\n") == 1


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: str(one.name))
def test_each_setting_is_told(setting: Setting) -> None:
    """With its key or header, its help, and how else it is written."""
    lines = plain(settings_page(SETTINGS, EDITION)).splitlines()

    at = lines.index(setting.header if setting.is_table else setting.name)

    assert lines[at - 1 : at + 2 : 2] == [".TP", setting.help]
    assert (f"{setting.flag}, {setting.variable}" in lines) != setting.is_table


def test_no_text_is_a_command() -> None:
    """A line that begins with a dot would be one, and a backslash begins another."""
    parser = argparse.ArgumentParser(description=r".so /etc/passwd \fBbold")
    tree = argparse.ArgumentParser()
    tree.add_subparsers().add_parser("odd", parents=[parser], add_help=False)
    tree._actions[-1].choices["odd"].description = parser.description  # type: ignore[index]

    lines = command_page(tree, EDITION).splitlines()

    assert r"\&.so /etc/passwd \efBbold" in lines
    assert not any(line.startswith(".so") for line in lines)
