"""The table of settings as a parser."""

from __future__ import annotations

from hubmirror.cli.operating.settings import settings_parser


def test_help_can_be_shown() -> None:
    """Also where a text has a per cent sign, which means something to the parser."""
    shown = " ".join(settings_parser("hubmirror serve", "run it").format_help().split())

    assert shown.startswith("usage: hubmirror serve ")
    assert "Run it." in shown
    assert "when 50, 80 and 95 % are spent" in shown
    assert "--log-level {debug,info,warn,error}" in shown
