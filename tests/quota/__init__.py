"""Tests of ``hubmirror.quota``."""
