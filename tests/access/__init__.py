"""Tests of hubmirror.access."""
