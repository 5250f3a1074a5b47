"""Tests of hubmirror.mirror."""
