"""Tests of the ``hubmirror`` command."""
