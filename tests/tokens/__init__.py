"""Tests of hubmirror.tokens."""
