"""Tests of hubmirror.upstream."""
