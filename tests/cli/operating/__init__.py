"""Tests of ``hubmirror.cli.operating``."""
