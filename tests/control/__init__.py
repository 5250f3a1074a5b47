"""Tests of ``hubmirror.control``."""
